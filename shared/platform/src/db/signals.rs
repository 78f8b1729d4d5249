//! How the commits, the relay and the followers of one process wake each other.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{Notify, watch};

use crate::call::Tenant;

/// A [`Db`](crate::db::Db) carries it.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    appended: Arc<Notify>,
    followers: Mutex<Followers>,
}

#[derive(Debug, Default)]
struct Followers {
    /// Of one tenant: how far its positions go.
    one: HashMap<Tenant, watch::Sender<i64>>,
    /// Of all tenants.
    all: Vec<Weak<Inbox>>,
}

/// What a follower of all tenants has not looked at yet: who has moved, and how far.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    moved: Mutex<BTreeMap<Tenant, i64>>,
    news: Notify,
}

impl Inbox {
    /// Says that the positions of `tenant` go as far as `head`.
    pub(crate) fn put(&self, tenant: &Tenant, head: i64) {
        let mut moved = lock(&self.moved);
        let known = moved.entry(tenant.clone()).or_insert(head);
        *known = head.max(*known);
        drop(moved);
        self.news.notify_one();
    }

    /// Whatever was put since the last time.
    pub(crate) fn take(&self) -> BTreeMap<Tenant, i64> {
        std::mem::take(&mut *lock(&self.moved))
    }

    /// Returns once something was put.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }
}

impl Signals {
    /// Has the relay look at once.
    pub(crate) fn wake_relay(&self) {
        self.appended.notify_one();
    }

    /// What [`Signals::wake_relay`] notifies.
    pub(crate) fn appended(&self) -> Arc<Notify> {
        self.appended.clone()
    }

    /// How far the positions of `tenant` go, as they are announced from now on.
    pub(crate) fn follow(&self, tenant: &Tenant) -> watch::Receiver<i64> {
        let mut followers = lock(&self.followers);
        followers.one.retain(|_, sender| sender.receiver_count() > 0);
        followers.one.entry(tenant.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Where the announcements of all tenants arrive from now on.
    pub(crate) fn follow_all(&self) -> Arc<Inbox> {
        let inbox = Arc::<Inbox>::default();
        let mut followers = lock(&self.followers);
        followers.all.retain(|other| other.strong_count() > 0);
        followers.all.push(Arc::downgrade(&inbox));
        inbox
    }

    /// Whether anybody would hear an announcement.
    pub(crate) fn are_heard(&self) -> bool {
        let followers = lock(&self.followers);
        followers.one.values().any(|sender| sender.receiver_count() > 0)
            || followers.all.iter().any(|inbox| inbox.strong_count() > 0)
    }

    /// Tells the followers of `tenant` how far its positions go; silent where they knew.
    pub(crate) fn announce(&self, tenant: &Tenant, head: i64) {
        let followers = lock(&self.followers);
        if let Some(sender) = followers.one.get(tenant) {
            sender.send_if_modified(|known| {
                let news = head > *known;
                *known = head.max(*known);
                news
            });
        }
        for inbox in followers.all.iter().filter_map(Weak::upgrade) {
            inbox.put(tenant, head);
        }
    }
}

/// What it guards is whole after every statement: a panic elsewhere spoils nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
