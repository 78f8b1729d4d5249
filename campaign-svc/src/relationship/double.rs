//! A stand-in for relationship-svc on a real socket, with a runtime of its own so that it can die with all its
//! connections and come back on the same port.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::Router;

/// The stand-in.
pub struct Double {
    address: SocketAddr,
    router: Box<dyn Fn() -> Router + Send>,
    runtime: Option<Runtime>,
}

impl Double {
    /// Serves what `router` makes.
    pub fn start(router: impl Fn() -> Router + Send + 'static) -> Self {
        let mut double =
            Self { address: ([127, 0, 0, 1], 0).into(), router: Box::new(router), runtime: None };
        double.up();
        double
    }

    /// As settings name it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Listens, on the same port as before.
    pub fn up(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = (self.router)();
        runtime.spawn(async move {
            let listener = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener).unwrap());
            router.serve_with_incoming(listener).await.unwrap();
        });
        self.runtime = Some(runtime);
    }

    /// Is gone at once; afterwards the port is free.
    pub fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Not on this thread: it may drive a runtime of its own, which must not be blocked.
            let gone = std::thread::spawn(move || runtime.shutdown_timeout(Duration::from_secs(10)));
            gone.join().unwrap();
        }
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.kill();
    }
}
