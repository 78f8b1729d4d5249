use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::super::*;

const LIMIT: u32 = 92;

fn day(days: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days)
}

/// From day 10 to day 20.
const fn window() -> Window {
    Window { start: Timestamp::constant(10 * 86_400, 0), end: Timestamp::constant(20 * 86_400, 0) }
}

fn complete() -> Mix {
    let mut mix = Mix::default();
    mix.product.categories.push("garden".to_owned());
    mix.promotion.placements.push(mix::Placement {
        id: "radio".to_owned(),
        channel: mix::Channel::Radio,
        planned_spend: None,
        schedule: tandem_kernel::period::Window::default(),
        message: String::new(),
    });
    mix
}

fn draft() -> Campaign {
    let definition = Definition { window: window(), ..Definition::default() };
    Campaign::create("c".to_owned(), definition, LIMIT, 0, day(0)).unwrap()
}

fn stepped(campaign: &Campaign, step: Move, now: Timestamp) -> Campaign {
    campaign.step(step, &complete(), LIMIT, now).unwrap()
}

/// A campaign in each state, and a moment at which it is in it.
fn every_state() -> Vec<(State, Campaign, Timestamp)> {
    let scheduled = stepped(&draft(), Move::Schedule, day(1));
    let paused = stepped(&scheduled, Move::Pause, day(12));
    let ended = stepped(&scheduled, Move::End, day(12));
    let cancelled = stepped(&draft(), Move::Cancel, day(1));
    let archived = stepped(&cancelled, Move::Archive, day(2));
    vec![
        (State::Draft, draft(), day(5)),
        (State::Scheduled, scheduled.clone(), day(5)),
        (State::Running, scheduled.clone(), day(15)),
        (State::Paused, paused, day(15)),
        (State::Ended, ended, day(15)),
        (State::Ended, scheduled, day(20)),
        (State::Cancelled, cancelled, day(15)),
        (State::Archived, archived, day(15)),
    ]
}

/// Where a step leads, by the rules in plain words.
fn allowed(step: Move, state: State) -> Option<State> {
    match (step, state) {
        (Move::Schedule, State::Draft) => Some(State::Scheduled),
        (Move::Launch, State::Draft | State::Scheduled) => Some(State::Running),
        (Move::Pause, State::Running) => Some(State::Paused),
        (Move::Resume, State::Paused) => Some(State::Running),
        (Move::End, State::Running | State::Paused) => Some(State::Ended),
        (Move::Cancel, State::Draft | State::Scheduled | State::Running | State::Paused) => {
            Some(State::Cancelled)
        }
        (Move::Archive, State::Ended | State::Cancelled) => Some(State::Archived),
        _ => None,
    }
}

#[test]
fn every_step_from_every_state_is_allowed_or_refused_as_the_table_says() {
    for (state, campaign, now) in every_state() {
        assert_eq!(campaign.state(now), state);
        for step in Move::ALL {
            let outcome = campaign.step(step, &complete(), LIMIT, now);
            match allowed(step, state) {
                Some(after) => {
                    let next = outcome.unwrap();
                    assert_eq!(next.state(now), after, "{step:?} from {state:?}");
                    assert_eq!(next.version, campaign.version + 1);
                }
                None => {
                    let refused = Refusal::WrongState { state, wanted: step.words() };
                    assert_eq!(outcome, Err(refused), "{step:?} from {state:?}");
                }
            }
        }
    }
}

#[test]
fn the_clock_alone_starts_and_ends_what_is_scheduled() {
    let scheduled = stepped(&draft(), Move::Schedule, day(1));
    let micro = SignedDuration::from_micros(1);
    assert_eq!(scheduled.state(day(10) - micro), State::Scheduled);
    assert_eq!(scheduled.state(day(10)), State::Running);
    assert_eq!(scheduled.state(day(20) - micro), State::Running);
    assert_eq!(scheduled.state(day(20)), State::Ended);
}

#[test]
fn a_paused_campaign_ends_with_its_window() {
    let paused = stepped(&stepped(&draft(), Move::Launch, day(12)), Move::Pause, day(13));
    assert_eq!(paused.state(day(19)), State::Paused);
    assert_eq!(paused.state(day(20)), State::Ended);
}

#[test]
fn a_launch_moves_the_start_to_the_present() {
    let launched = stepped(&draft(), Move::Launch, day(5));
    assert_eq!(launched.definition.window, Window { start: day(5), end: day(20) });
    assert_eq!(launched.launched(day(5)), Some(day(5)));
    // The longer window must still be allowed.
    let refused = draft().step(Move::Launch, &complete(), 14, day(5));
    assert_eq!(refused, Err(Refusal::WindowTooLong { limit_days: 14 }));
}

#[test]
fn the_launch_time_is_the_first_moment_it_ran() {
    let scheduled = stepped(&draft(), Move::Schedule, day(1));
    assert_eq!(scheduled.launched(day(9)), None);
    assert_eq!(scheduled.launched(day(15)), Some(day(10)));
    let late = stepped(&draft(), Move::Schedule, day(14));
    assert_eq!(late.launched(day(15)), Some(day(14)), "scheduled when its window was open already");
    let resumed = stepped(&stepped(&scheduled, Move::Pause, day(12)), Move::Resume, day(13));
    assert_eq!(resumed.launched(day(15)), Some(day(10)));
    assert_eq!(stepped(&scheduled, Move::Cancel, day(5)).launched(day(15)), None, "called off before it ran");
    assert_eq!(stepped(&scheduled, Move::Cancel, day(12)).launched(day(15)), Some(day(10)));
}

#[test]
fn a_window_that_is_over_can_be_neither_scheduled_nor_launched() {
    for step in [Move::Schedule, Move::Launch] {
        assert_eq!(draft().step(step, &complete(), LIMIT, day(20)), Err(Refusal::WindowOver));
    }
}

#[test]
fn what_a_launch_needs_is_named_at_once() {
    let refused = draft().step(Move::Schedule, &Mix::default(), LIMIT, day(1)).unwrap_err();
    let Refusal::MixIncomplete(missing) = refused else { panic!("{refused:?}") };
    let fields: Vec<&str> = missing.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["product", "price"]);
}

#[test]
fn its_offers_could_be_had_while_it_was_open_within_its_window() {
    let scheduled = stepped(&draft(), Move::Schedule, day(1));
    assert_eq!(scheduled.life.open_spans(window()), [(day(10), day(20))]);
    let paused = stepped(&scheduled, Move::Pause, day(12));
    assert_eq!(paused.life.open_spans(window()), [(day(10), day(12))]);
    let resumed = stepped(&paused, Move::Resume, day(14));
    let ended = stepped(&resumed, Move::End, day(18));
    assert_eq!(ended.life.open_spans(window()), [(day(10), day(12)), (day(14), day(18))]);
    assert_eq!(stepped(&scheduled, Move::Cancel, day(5)).life.open_spans(window()), []);
    let again = stepped(&stepped(&draft(), Move::Schedule, day(1)), Move::Launch, day(5));
    assert_eq!(again.life.open_spans(again.definition.window), [(day(5), day(20))]);
}

proptest! {
    #[test]
    fn it_runs_exactly_while_its_offers_can_be_had(
        steps in proptest::collection::vec((0..Move::ALL.len(), 1..6_i64), 0..12),
    ) {
        // Never at the very moment at which the window opens or closes: a span of no length is none.
        let (mut campaign, mut now) = (draft(), day(0) + SignedDuration::from_hours(1));
        for (step, pause) in steps {
            now += SignedDuration::from_hours(12 * pause);
            if let Ok(next) = campaign.step(Move::ALL[step], &complete(), LIMIT, now) {
                campaign = next;
            }
            let spans = campaign.life.open_spans(campaign.definition.window);
            let open = spans.iter().any(|(from, until)| (*from..*until).contains(&now));
            prop_assert_eq!(campaign.state(now) == State::Running, open);
            let ordered = spans.iter().all(|(from, until)| from < until)
                && spans.windows(2).all(|pair| pair[0].1 < pair[1].0);
            prop_assert!(ordered, "{spans:?}");
            prop_assert_eq!(campaign.launched(now), spans.first().map(|span| span.0).filter(|from| *from <= now));
        }
    }
}

fn moved(campaign: &Campaign, window: Window, now: Timestamp) -> Result<Campaign, Refusal> {
    let definition = Definition { window, ..campaign.definition.clone() };
    let first = Revision::first(complete(), "me", day(0));
    let draft = Draft { definition, mix: first.mix.clone() };
    campaign.update(&[first], draft, false, "me", LIMIT, now).map(|(campaign, _)| campaign)
}

#[test]
fn a_window_that_has_begun_can_only_move_its_end_and_not_into_the_past() {
    let running = stepped(&draft(), Move::Schedule, day(1));
    let longer = Window { end: day(30), ..window() };
    assert_eq!(moved(&running, longer, day(15)).unwrap().definition.window, longer);
    assert_eq!(moved(&running, Window { end: day(15), ..window() }, day(15)), Err(Refusal::WindowOver));
    let earlier = Window { start: day(9), ..window() };
    assert!(matches!(moved(&running, earlier, day(15)), Err(Refusal::Invalid(_))));
    assert_eq!(moved(&running, earlier, day(5)).unwrap().definition.window, earlier);
    let refused = moved(&running, Window { end: day(103), ..window() }, day(15));
    assert_eq!(refused, Err(Refusal::WindowTooLong { limit_days: LIMIT }));
    let over = moved(&running, longer, day(20));
    assert_eq!(over, Err(Refusal::WrongState { state: State::Ended, wanted: "be changed" }));
}

#[test]
fn a_window_is_exactly_as_long_as_allowed_or_shorter() {
    let of = |end| Definition { window: Window { start: day(0), end }, ..Definition::default() };
    assert!(Campaign::create("c".to_owned(), of(day(92)), LIMIT, 0, day(0)).is_ok());
    let longer = day(92) + SignedDuration::from_micros(1);
    let refused = Campaign::create("c".to_owned(), of(longer), LIMIT, 0, day(0));
    assert_eq!(refused, Err(Refusal::WindowTooLong { limit_days: LIMIT }));
}

fn adaptation(effective: Option<Timestamp>) -> revisions::Adaptation {
    revisions::Adaptation { mix: complete(), effective, reason: "why".to_owned(), cause: String::new() }
}

#[test]
fn revisions_take_effect_in_their_order_within_the_window_and_not_in_the_past() {
    let running = stepped(&draft(), Move::Schedule, day(1));
    let first = Revision::first(complete(), "me", day(0));
    let adapt = |before: &Revision, effective, now| before.adapt(&running, adaptation(effective), "me", now);
    let at_once = adapt(&first, None, day(12)).unwrap();
    assert_eq!((at_once.revision, at_once.effective), (2, day(12)));
    let same_moment = adapt(&at_once, None, day(12)).unwrap();
    assert_eq!(
        (same_moment.revision, same_moment.effective),
        (3, day(12)),
        "the later of two at once counts"
    );
    let later = adapt(&at_once, Some(day(16)), day(12)).unwrap();
    assert_eq!((later.revision, later.effective), (3, day(16)));

    let wrong = |outcome: Result<Revision, Refusal>| matches!(outcome, Err(Refusal::RevisionOutOfOrder(_)));
    assert!(wrong(adapt(&later, None, day(12))), "one is still to come");
    assert!(wrong(adapt(&later, Some(day(16)), day(12))), "not after the last one");
    assert!(wrong(adapt(&first, Some(day(11)), day(12))), "in the past");
    assert!(wrong(adapt(&first, Some(day(20)), day(12))), "at the end of the window");
    assert!(wrong(adapt(&first, Some(day(9)), day(5))), "before the window");
    assert!(adapt(&later, None, day(16)).is_ok());
}

#[test]
fn only_what_is_scheduled_running_or_paused_adapts() {
    let first = Revision::first(complete(), "me", day(0));
    for (state, campaign, now) in every_state() {
        let adapts = matches!(state, State::Scheduled | State::Running | State::Paused);
        assert_eq!(first.adapt(&campaign, adaptation(None), "me", now).is_ok(), adapts, "{state:?}");
    }
}

#[test]
fn the_newest_revision_that_has_come_into_effect_counts() {
    let first = Revision::first(complete(), "me", day(0));
    let second = Revision { revision: 2, effective: day(12), ..first.clone() };
    let third = Revision { revision: 3, effective: day(16), ..first.clone() };
    let all = [first, second, third];
    let number = |at| revisions::in_effect(&all, at).unwrap().revision;
    assert_eq!([day(0), day(11), day(12), day(15), day(16)].map(number), [1, 1, 2, 2, 3]);
    assert_eq!(number(day(-1)), 1, "where clocks differ the first one counts");
}

#[test]
fn a_coming_revision_stays_within_a_window_that_moves() {
    let running = stepped(&draft(), Move::Schedule, day(1));
    let first = Revision::first(complete(), "me", day(0));
    let coming = first.adapt(&running, adaptation(Some(day(18))), "me", day(12)).unwrap();
    let definition = Definition { window: Window { end: day(18), ..window() }, ..running.definition.clone() };
    let draft = Draft { definition, mix: coming.mix.clone() };
    let refused = running.update(&[first, coming], draft, false, "me", LIMIT, day(12));
    assert!(matches!(refused, Err(Refusal::RevisionOutOfOrder(_))));
}
