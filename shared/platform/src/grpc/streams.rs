//! Which methods take longer than a call may: they have no deadline of ours and permits of their own.

/// A service's long methods, by path.
#[derive(Debug, Clone, Copy)]
pub struct Streams {
    endless: &'static [&'static str],
    long: &'static [&'static str],
}

impl Streams {
    /// The methods at these paths (`/tandem.campaign.v1.EventService/Subscribe`), and those of health and reflection,
    /// stream until one side leaves: a stopping server leaves at once.
    pub const fn new(endless: &'static [&'static str]) -> Self {
        Self { endless, long: &[] }
    }

    /// The methods at these paths as well come to an end, but later than a call may (imports and exports): a stopping
    /// server gives them the time that it has for all calls.
    #[must_use]
    pub const fn and_long(self, long: &'static [&'static str]) -> Self {
        Self { long, ..self }
    }

    /// Whether the method at `path` is one of either.
    pub fn contain(self, path: &str) -> bool {
        self.long.contains(&path) || self.endless(path)
    }

    /// Whether the method at `path` streams until one side leaves.
    pub fn endless(self, path: &str) -> bool {
        const COMMON: [&str; 3] = [
            "/grpc.health.v1.Health/Watch",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ];
        self.endless.contains(&path) || COMMON.contains(&path)
    }
}
