//! The whole way over both services, on both engines: from an objective to a checkout, back again, and what both services
//! say of it afterwards.

mod campaign;
mod checkout;
mod stage;
mod typed;
