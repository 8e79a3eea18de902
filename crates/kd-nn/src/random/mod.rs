//! Random numbers that are the same on every backend.

mod draws;
mod on_device;
mod philox;

pub use draws::{Draws, uniform};
