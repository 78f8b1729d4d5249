//! Files as shops have them: rows of CSV on their way in and out. A kind says which columns it has; everything else is here.
//!
//! - [`source`] and [`text`]: the bytes of a file, or of standard input, as rows.
//! - [`column`], [`cells`], [`forms`] and [`escape`]: what the head names and what a cell holds, the same for both ways.
//! - [`read`] and [`import`]: rows as they are sent, answered and refused; [`rejects`]: where refused ones go.
//! - [`write`] and [`pages`]: an export.

pub mod cells;
pub mod column;
pub mod escape;
pub mod forms;
pub mod import;
pub mod pages;
pub mod read;
pub mod rejects;
pub mod source;
#[cfg(test)]
pub mod testing;
pub mod text;
pub mod write;
