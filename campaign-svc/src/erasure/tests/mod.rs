//! Taking somebody out of everything here, on both engines.

mod held;
mod late;
mod list;
mod stage;
