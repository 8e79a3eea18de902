//! Where the pixels of a set are.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::DataError;
use crate::picture::Picture;

/// The pixels of images, in memory or in files.
#[derive(Debug)]
pub(crate) enum Pixels {
    /// Bytes `[N, 3, H, W]` of the set's size.
    Planes(Vec<u8>),
    /// Decoded images of any sizes.
    Pictures(Vec<Picture>),
    /// Files that are decoded when they are wanted.
    Files(Vec<PathBuf>),
}

/// How an image of any size is brought to that of the set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Fit {
    /// The size `[H, W]` of the set.
    pub(crate) size: [usize; 2],
    /// The share of the short side that is kept.
    pub(crate) share: f64,
}

impl Pixels {
    /// The image of a row as it is evaluated: bytes `[3, H, W]`.
    pub(super) fn image(&self, row: usize, fit: Fit) -> Result<Cow<'_, [u8]>, DataError> {
        match self {
            Self::Planes(bytes) => {
                let count = 3 * fit.size[0] * fit.size[1];
                Ok(Cow::Borrowed(&bytes[row * count..(row + 1) * count]))
            }
            Self::Pictures(pictures) => fit.apply(&pictures[row]).map(Cow::Owned),
            Self::Files(paths) => fit.read(&paths[row]).map(Cow::Owned),
        }
    }

    /// Whether the image of a row has one color; `None` if it is in a file.
    pub(super) fn is_of_one_color(&self, row: usize, fit: Fit) -> Option<bool> {
        let constant = |plane: &[u8]| plane.iter().all(|value| *value == plane[0]);
        match self {
            Self::Planes(bytes) => {
                let count = fit.size[0] * fit.size[1];
                let image = &bytes[3 * row * count..3 * (row + 1) * count];
                Some(image.chunks_exact(count).all(constant))
            }
            Self::Pictures(pictures) => {
                let rgb = &pictures[row].rgb;
                Some(rgb.chunks_exact(3).all(|pixel| *pixel == rgb[..3]))
            }
            Self::Files(_) => None,
        }
    }

    /// Whether the images of two rows are the same; `None` if they are in files.
    pub(super) fn are_the_same(&self, row: usize, other: usize, fit: Fit) -> Option<bool> {
        match self {
            Self::Planes(bytes) => {
                let count = 3 * fit.size[0] * fit.size[1];
                let image = |row: usize| &bytes[row * count..(row + 1) * count];
                Some(image(row) == image(other))
            }
            Self::Pictures(pictures) => Some(pictures[row] == pictures[other]),
            Self::Files(_) => None,
        }
    }

    /// The image of a row as it is stored.
    pub(super) fn picture(&self, row: usize, fit: Fit) -> Result<Cow<'_, Picture>, DataError> {
        match self {
            Self::Planes(_) => {
                let planes = self.image(row, fit)?;
                Ok(Cow::Owned(Picture::of_planes(&planes, fit.size)))
            }
            Self::Pictures(pictures) => Ok(Cow::Borrowed(&pictures[row])),
            Self::Files(paths) => Picture::read(&paths[row]).map(Cow::Owned),
        }
    }
}

impl Fit {
    /// A file as it is evaluated.
    pub(crate) fn read(&self, path: &std::path::Path) -> Result<Vec<u8>, DataError> {
        self.apply(&Picture::read(path)?)
    }

    fn apply(&self, picture: &Picture) -> Result<Vec<u8>, DataError> {
        picture.middle(self.size, self.share)
    }
}
