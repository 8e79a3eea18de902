//! Training state that stays where it is.
//!
//! A recorded step knows memory and not tensors. So parameters, velocities, running statistics and
//! averages are written where they are, and learning rates are numbers on the device.

mod places;
mod sgd;
pub(crate) mod snapshot;
mod velocities;

pub(crate) use places::Places;
pub(crate) use sgd::{InPlaceSgd, RATES};
pub(crate) use snapshot::Snapshot;
