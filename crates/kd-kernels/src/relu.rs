//! The ReLU as a lower bound.

/// What a ReLU cuts off at; nothing is below it without one.
#[inline(always)]
pub(crate) fn lowest(relu: bool) -> f32 {
    if relu { 0.0 } else { f32::NEG_INFINITY }
}

/// The larger one; NaN if `x` is.
#[inline(always)]
pub(crate) fn at_least(lowest: f32, x: f32) -> f32 {
    if x < lowest { lowest } else { x }
}
