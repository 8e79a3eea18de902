//! What follows a convolution in the same pass.

/// What is done to the output while it is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Epilogue<'a> {
    /// Added to each channel, `[outputs]`.
    pub(super) bias: Option<&'a [f32]>,
    /// Added after that; shaped as the output.
    pub(super) residual: Option<&'a [f32]>,
    /// Whether to clamp at 0 from below, last of all.
    pub(super) relu: bool,
}

impl<'a> Epilogue<'a> {
    /// The same for `length` outputs from `start` on. The bias stays whole.
    pub(super) fn of_outputs(self, start: usize, length: usize) -> Self {
        Self {
            residual: self.residual.map(|all| &all[start..][..length]),
            ..self
        }
    }

    /// The same for the map of one channel, which starts at `start` of the outputs: bias and
    /// residual begin with its own.
    #[inline(always)]
    pub(super) fn of_map(self, channel: usize, start: usize) -> Self {
        Self {
            bias: self.bias.map(|bias| &bias[channel..]),
            residual: self.residual.map(|all| &all[start..]),
            ..self
        }
    }
}
