//! The finitely many ways in which crop and flip can show an image.

/// One way to show an image: a crop of the padded image, then perhaps a mirror image of it.
///
/// `dy` and `dx` are the row and column of the padded image at which the crop starts, so both are
/// in `0..=2 * pad`, and `dy = dx = pad` is the image as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct View {
    /// First row of the crop, in pixels of the padded image.
    pub dy: usize,
    /// First column of the crop, in pixels of the padded image.
    pub dx: usize,
    /// Whether the crop is mirrored left to right.
    pub flip: bool,
}

impl View {
    /// Number of offsets along one axis.
    pub(crate) fn offsets(pad: usize) -> usize {
        pad.saturating_mul(2).saturating_add(1)
    }

    /// Number of views. It saturates: a padding is asked for it before it is known to fit an image.
    pub(crate) fn count(pad: usize) -> usize {
        let offsets = Self::offsets(pad);
        offsets.saturating_mul(offsets).saturating_mul(2)
    }

    /// `(dy * (2 * pad + 1) + dx) * 2 + flip`.
    pub(crate) fn index(self, pad: usize) -> usize {
        (self.dy * Self::offsets(pad) + self.dx) * 2 + usize::from(self.flip)
    }

    /// The inverse of [`index`](Self::index).
    pub(crate) fn from_index(index: usize, pad: usize) -> Self {
        let crop = index / 2;
        Self {
            dy: crop / Self::offsets(pad),
            dx: crop % Self::offsets(pad),
            flip: index % 2 == 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_of_pad_4_are_162_and_have_distinct_indices() {
        assert_eq!(View::count(4), 162);
        let mut expected = 0;
        for dy in 0..=8 {
            for dx in 0..=8 {
                for flip in [false, true] {
                    let view = View { dy, dx, flip };
                    assert_eq!(view.index(4), expected);
                    assert_eq!(View::from_index(expected, 4), view);
                    expected += 1;
                }
            }
        }
        assert_eq!(expected, View::count(4));
    }
}
