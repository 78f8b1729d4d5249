//! Pure values and rules that both services speak. No async, no input or output, no clock reads: time and ids come in
//! as arguments through [`clock`].

pub mod basket;
pub mod clock;
pub mod code;
pub mod country;
pub mod discount;
pub mod email;
pub mod id;
pub mod limits;
pub mod locale;
pub mod money;
pub mod order_id;
pub mod page;
pub mod period;
pub mod person;
pub mod phone;
pub mod pricing;
pub mod problem;
pub mod rule;
pub mod seal;
pub mod text;
pub mod work;
