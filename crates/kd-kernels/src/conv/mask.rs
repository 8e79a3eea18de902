//! Which gradients are asked for.

/// Which gradients of a convolution are computed; the others are left empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GradMask {
    /// That of the input.
    pub(super) input: bool,
    /// That of the weight.
    pub(super) weight: bool,
}

impl GradMask {
    /// The gradient of the input alone.
    pub(super) const INPUT: Self = Self {
        input: true,
        weight: false,
    };

    /// The gradient of the weight alone.
    pub(super) const WEIGHT: Self = Self {
        input: false,
        weight: true,
    };

    /// Whether none is asked for.
    pub(super) fn is_empty(self) -> bool {
        !self.input && !self.weight
    }
}
