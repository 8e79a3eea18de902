//! Convolution of maps of any size, with some images of a batch in padded planes.

mod backward;
mod forward;

pub(super) use backward::Backward;
pub(super) use forward::Forward;
