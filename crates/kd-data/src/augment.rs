//! Augmentation and normalization of whole batches on the device.

mod crop_flip;
mod presentation;
mod resized_crop;
mod rotate;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

pub(crate) use self::presentation::Presentation;
pub(crate) use self::resized_crop::ResizedCrop;
use self::rotate::rotate_flip;

use crate::{DataError, Normalization, View};

/// Greatest padding: beyond it, the number of a view does not fit 16 bits.
const MAX_PAD: usize = 90;

/// What happens to a training image before it is normalized.
///
/// A batch is transformed as a whole, by tensor operations on its device, and nothing is read back;
/// only a [random resized crop](Self::RandomResizedCrop) is done on the host, by the threads that
/// decode the images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Augmentation {
    /// Nothing: images are only normalized, as in evaluation.
    #[default]
    None,
    /// A mirror image with probability 1/2.
    Flip,
    /// A crop of the image's own size at a random place of the image with `pad` pixels added
    /// on each side, then a mirror image with probability 1/2.
    CropFlip {
        /// Pixels added on each side, at most 90. Default: 4, which is customary for 32x32.
        #[serde(default = "four")]
        pad: usize,
        /// What is added. Default: black.
        #[serde(default)]
        padding: Padding,
    },
    /// A part of the image of random size and shape, brought to the size of the set, then a mirror
    /// image with probability 1/2: the standard for ImageNet.
    RandomResizedCrop {
        /// Least and greatest share of the image's area. Default: 0.08 and 1.
        #[serde(default = "scale")]
        scale: [f64; 2],
        /// Least and greatest ratio of width to height. Default: 3/4 and 4/3.
        #[serde(default = "ratio")]
        ratio: [f64; 2],
    },
    /// A rotation by an angle that is uniform in `-degrees..=degrees`, around the center, with the
    /// nearest pixel and black where there is none; then a mirror image with probability 1/2.
    RotateFlip {
        /// Greatest angle, in degrees, at most 180. Default: 20.
        #[serde(default = "twenty")]
        degrees: f64,
    },
}

/// What surrounds an image that is cropped with a padding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Black *before* normalization, as in the usual PyTorch transforms, which work on the image
    /// and not on the normalized tensor.
    #[default]
    Zero,
    /// The image mirrored at its outermost pixels, which are not repeated.
    Reflect,
}

impl Augmentation {
    /// Crop with a padding of 4 pixels, and flip: the standard for CIFAR.
    pub const CIFAR: Self = Self::crop_flip(4);

    /// A random resized crop with the customary parameters: the standard for ImageNet.
    pub const RESIZED_CROP: Self = Self::RandomResizedCrop {
        scale: scale(),
        ratio: ratio(),
    };

    /// Crop with `pad` black pixels on each side, and flip.
    pub const fn crop_flip(pad: usize) -> Self {
        Self::CropFlip {
            pad,
            padding: Padding::Zero,
        }
    }

    /// The name, as in a file.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Flip => "flip",
            Self::CropFlip { .. } => "crop_flip",
            Self::RandomResizedCrop { .. } => "random_resized_crop",
            Self::RotateFlip { .. } => "rotate_flip",
        }
    }

    /// In how many ways an image can be shown, if they are few enough that it is worth to keep
    /// something for each: 1 without augmentation, 2 with flip, `2 (2 pad + 1)^2` with a crop,
    /// which is 162 for a padding of 4; `None` for the others.
    pub fn views(&self) -> Option<usize> {
        self.crop_padding().map_or_else(
            || (*self == Self::None).then_some(1),
            |pad| Some(View::count(pad)),
        )
    }

    /// The number of a view, below [`views`](Self::views); 0 where views are not crop and flip.
    ///
    /// Together with the index of the image it is a key for everything that depends on the pixels
    /// alone, because the outputs of a fixed network.
    pub fn view_index(&self, view: View) -> usize {
        self.crop_padding().map_or(0, |pad| view.index(pad))
    }

    /// The view of a number: the inverse of [`view_index`](Self::view_index).
    pub fn view(&self, index: usize) -> View {
        let unchanged = View {
            dy: 0,
            dx: 0,
            flip: false,
        };
        self.crop_padding()
            .map_or(unchanged, |pad| View::from_index(index, pad))
    }

    /// The padding, if views are crop and flip.
    fn crop_padding(&self) -> Option<usize> {
        match *self {
            Self::Flip => Some(0),
            Self::CropFlip { pad, .. } => Some(pad),
            Self::None | Self::RandomResizedCrop { .. } | Self::RotateFlip { .. } => None,
        }
    }

    /// How many numbers [`transform`](Self::transform) tells apart.
    pub(crate) fn draws(&self) -> usize {
        match self {
            Self::RotateFlip { .. } => rotate::VIEWS,
            _ => self.views().unwrap_or(1),
        }
    }

    /// Shows every image of a batch by its view, and normalizes the result.
    ///
    /// # Shapes
    ///
    /// - pixels: `[N, 3, H, W]`, integers in 0..=255
    /// - views: `N` numbers of views; for a rotation, below 65,534: twice the number of the angle,
    ///   from the least to the greatest, and 1 for a mirror image
    /// - output: `[N, 3, H, W]`, in the default float type of the device of `pixels`
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] if there are not three channels, if the number of views is not `N`,
    /// if one of them is out of range, or a parameter or the statistics are. Also for a random
    /// resized crop, which is not done on the device.
    pub fn apply(
        &self,
        pixels: Tensor<4, Int>,
        views: &[u16],
        normalization: &Normalization,
    ) -> Result<Tensor<4>, DataError> {
        let dims = pixels.dims();
        self.check([dims[2], dims[3]])?;
        normalization.check()?;
        let invalid = |field, found: String, expected: String| {
            Err(DataError::invalid("Augmentation", field, found, expected))
        };
        if matches!(self, Self::RandomResizedCrop { .. }) {
            let expected = "one that is done on the device".into();
            return invalid("kind", self.name().into(), expected);
        }
        if dims[1] != 3 {
            return invalid("pixels", format!("{dims:?}"), "[N, 3, H, W]".into());
        }
        if views.len() != dims[0] {
            let expected = format!("{}, one per image", dims[0]);
            return invalid("views", format!("{} views", views.len()), expected);
        }
        if let Some(view) = views.iter().find(|&&v| usize::from(v) >= self.draws()) {
            let expected = format!("numbers below {}", self.draws());
            return invalid("views", view.to_string(), expected);
        }
        Ok(self.transform(pixels, views, normalization))
    }

    /// [`apply`](Self::apply) for arguments that are known to fit.
    fn transform(
        &self,
        pixels: Tensor<4, Int>,
        views: &[u16],
        normalization: &Normalization,
    ) -> Tensor<4> {
        let [_, _, height, width] = pixels.dims();
        let device = pixels.device();
        let presentation = Presentation::new(self, normalization, [height, width], &device);
        self.present(&presentation, pixels, views)
    }

    /// The same by a presentation that is there.
    pub(crate) fn present(
        &self,
        presentation: &Presentation,
        pixels: Tensor<4, Int>,
        views: &[u16],
    ) -> Tensor<4> {
        let images = match *self {
            Self::RotateFlip { degrees } => rotate_flip(pixels.float(), views, degrees),
            // A resized crop comes from the host as it is to be.
            _ => pixels.float(),
        };
        presentation.show_by(images, views)
    }

    /// Whether a number on the device is all that an image is changed by, so that a batch can be
    /// made of images that are there without the host.
    pub fn is_on_device(&self) -> bool {
        matches!(self, Self::None | Self::Flip | Self::CropFlip { .. })
    }

    /// Checks the parameters, for images of a size `[H, W]`.
    pub(crate) fn check(&self, size: [usize; 2]) -> Result<(), DataError> {
        let invalid = |field, found: String, expected: String| {
            Err(DataError::invalid("Augmentation", field, found, expected))
        };
        match *self {
            Self::CropFlip { pad, .. } if pad > MAX_PAD => {
                invalid("pad", pad.to_string(), format!("at most {MAX_PAD} pixels"))
            }
            Self::CropFlip {
                pad,
                padding: Padding::Reflect,
            } if pad >= size[0].min(size[1]) => {
                let expected = format!("less than the sides {size:?} to reflect");
                invalid("pad", pad.to_string(), expected)
            }
            Self::RandomResizedCrop {
                scale: [low, high], ..
            } if !(low > 0.0 && low <= high && high <= 1.0) => {
                let expected = "two fractions in (0, 1], the smaller first".to_owned();
                invalid("scale", format!("{:?}", [low, high]), expected)
            }
            Self::RandomResizedCrop {
                ratio: [low, high], ..
            } if !(low > 0.0 && low <= high && high.is_finite()) => {
                let expected = "two positive numbers, the smaller first".to_owned();
                invalid("ratio", format!("{:?}", [low, high]), expected)
            }
            Self::RotateFlip { degrees } if !(degrees > 0.0 && degrees <= 180.0) => invalid(
                "degrees",
                degrees.to_string(),
                "a number in (0, 180]".into(),
            ),
            _ => Ok(()),
        }
    }
}

const fn four() -> usize {
    4
}

const fn scale() -> [f64; 2] {
    [0.08, 1.0]
}

const fn ratio() -> [f64; 2] {
    [3.0 / 4.0, 4.0 / 3.0]
}

const fn twenty() -> f64 {
    20.0
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
