//! Augmentation and normalization of whole batches on the device.

use burn::tensor::{DType, Device, Int, Tensor, TensorData, ops::PadMode};
use serde::{Deserialize, Serialize};

use crate::{DataError, Normalization, View};

/// Greatest padding: beyond it, the number of a view does not fit 16 bits.
const MAX_PAD: usize = 90;

/// What happens to a training image before it is normalized.
///
/// A batch is transformed as a whole, by tensor operations on its device; nothing is read back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Augmentation {
    /// Nothing: images are only normalized, as in evaluation.
    #[default]
    None,
    /// A crop of the image's own size at a random place of the image with `pad` black pixels added
    /// on each side, then a mirror image with probability 1/2.
    ///
    /// The border is black *before* normalization, as in the usual PyTorch transforms, which work
    /// on the image and not on the normalized tensor.
    CropFlip {
        /// Pixels added on each side, at most 90; 4 is customary for 32x32.
        pad: usize,
    },
}

impl Augmentation {
    /// Crop with a padding of 4 pixels, and flip: the standard for CIFAR.
    pub const CIFAR: Self = Self::CropFlip { pad: 4 };

    /// In how many ways an image can be shown: 1 without augmentation, else `2 (2 pad + 1)^2`,
    /// which is 162 for a padding of 4.
    pub fn views(&self) -> usize {
        match *self {
            Self::None => 1,
            Self::CropFlip { pad } => View::count(pad),
        }
    }

    /// The number of a view, below [`views`](Self::views); 0 without augmentation.
    ///
    /// Together with the index of the image it is a key for everything that depends on the pixels
    /// alone, as the outputs of a fixed network.
    pub fn view_index(&self, view: View) -> usize {
        match *self {
            Self::None => 0,
            Self::CropFlip { pad } => view.index(pad),
        }
    }

    /// The view of a number: the inverse of [`view_index`](Self::view_index).
    pub fn view(&self, index: usize) -> View {
        match *self {
            Self::None => View {
                dy: 0,
                dx: 0,
                flip: false,
            },
            Self::CropFlip { pad } => View::from_index(index, pad),
        }
    }

    /// Shows every image of a batch by its view, and normalizes the result.
    ///
    /// # Shapes
    ///
    /// - pixels: `[N, 3, H, W]`, integers in 0..=255
    /// - views: `N` numbers of views
    /// - output: `[N, 3, H, W]`, in the default float type of the device of `pixels`
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] if there are not three channels, if the number of views is not `N`,
    /// if one of them is not below [`views`](Self::views), or if the padding or the statistics are
    /// out of range.
    pub fn apply(
        &self,
        pixels: Tensor<4, Int>,
        views: &[u16],
        normalization: &Normalization,
    ) -> Result<Tensor<4>, DataError> {
        self.check()?;
        normalization.check()?;
        let invalid = |field, found: String, expected: String| {
            Err(DataError::invalid("Augmentation", field, found, expected))
        };
        let dims = pixels.dims();
        if dims[1] != 3 {
            return invalid("pixels", format!("{dims:?}"), "[N, 3, H, W]".into());
        }
        if views.len() != dims[0] {
            let expected = format!("{}, one an image", dims[0]);
            return invalid("views", format!("{} views", views.len()), expected);
        }
        if let Some(view) = views.iter().find(|&&v| usize::from(v) >= self.views()) {
            let expected = format!("numbers below {}", self.views());
            return invalid("views", view.to_string(), expected);
        }
        Ok(self.transform(pixels, views, normalization))
    }

    /// [`apply`](Self::apply) for arguments that are known to fit.
    pub(crate) fn transform(
        &self,
        pixels: Tensor<4, Int>,
        views: &[u16],
        normalization: &Normalization,
    ) -> Tensor<4> {
        let images = pixels.float();
        let images = match *self {
            Self::None => images,
            Self::CropFlip { pad } => crop_flip(images, views, pad),
        };
        normalize(images, normalization)
    }

    /// Checks the padding.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        match *self {
            Self::CropFlip { pad } if pad > MAX_PAD => Err(DataError::invalid(
                "Augmentation",
                "pad",
                pad,
                format!("at most {MAX_PAD} pixels"),
            )),
            _ => Ok(()),
        }
    }
}

/// Uploads bytes `[N, C, H, W]`, as bytes where the device can compute with them.
///
/// Devices without 8-bit integers (as WebGPU) get the default integer type instead, which is four
/// times the traffic but the same values.
pub(crate) fn upload(bytes: Vec<u8>, shape: [usize; 4], device: &Device) -> Tensor<4, Int> {
    let data = TensorData::new(bytes, shape);
    if device.supports_dtype(DType::U8) {
        Tensor::from_data(data, (device, DType::U8))
    } else {
        Tensor::from_data(data, device)
    }
}

/// Crops and flips by one gather over the flattened padded planes.
///
/// Pixel `(i, j)` of the result is `(dy + i, dx + j)` of the padded image, with `j` counted from
/// the right if the view is flipped. Its place in the plane is a sum of a part that depends on
/// `i` and one that depends on `j`, so only their sum has the size of the batch.
fn crop_flip(images: Tensor<4>, views: &[u16], pad: usize) -> Tensor<4> {
    let device = images.device();
    let [n, c, h, w] = images.dims();
    let (padded_h, padded_w) = (h + 2 * pad, w + 2 * pad);

    // Three small uploads, of one number an image each.
    let column = |number: fn(View) -> usize| -> Tensor<3, Int> {
        let numbers: Vec<i32> = views
            .iter()
            .map(|&v| number(View::from_index(usize::from(v), pad)) as i32)
            .collect();
        Tensor::from_data(TensorData::new(numbers, [n, 1, 1]), &device)
    };
    let (dy, dx) = (column(|v| v.dy), column(|v| v.dx));
    let flip = column(|v| usize::from(v.flip));

    let rows = Tensor::arange(0..h as i64, &device).reshape([1, h, 1]);
    let columns = Tensor::arange(0..w as i64, &device).reshape([1, 1, w]);
    // What to add to a column to count it from the right: w - 1 - 2 j.
    let mirror = columns.clone().mul_scalar(-2).add_scalar(w as i64 - 1);

    let row_part = (rows + dy).mul_scalar(padded_w as i64);
    let column_part = columns + dx + flip * mirror;
    let places = (row_part + column_part).reshape([n, 1, h * w]);

    images
        .pad((pad, pad, pad, pad), PadMode::Constant(0.0))
        .reshape([n, c, padded_h * padded_w])
        .gather(2, places.expand([n, c, h * w]))
        .reshape([n, c, h, w])
}

/// `(x / 255 - mean) / std` per channel, as one factor and one offset.
fn normalize(images: Tensor<4>, normalization: &Normalization) -> Tensor<4> {
    let device = images.device();
    let (factor, offset) = normalization.affine();
    let channel = |values: [f32; 3]| -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1]), &device)
    };
    images * channel(factor) + channel(offset)
}
