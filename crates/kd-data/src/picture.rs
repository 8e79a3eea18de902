//! One image of a file: its size, its pixels, and parts of it at another size.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::DataError;
use crate::augment::ResizedCrop;

/// The first bytes of a PNG file.
const PNG: [u8; 4] = [0x89, b'P', b'N', b'G'];

/// The first bytes of a JPEG file.
const JPEG: [u8; 2] = [0xff, 0xd8];

/// The last bytes of a JPEG file.
const JPEG_END: [u8; 2] = [0xff, 0xd9];

/// Greatest distance of the last bytes of a JPEG file from the end of the file, for those that are
/// padded.
const JPEG_TAIL: usize = 64;

/// Greatest side, in pixels.
const GREATEST_SIDE: usize = 1 << 15;

/// Most pixels of an image, which PIL does not exceed either.
const MOST_PIXELS: usize = 178_956_970;

/// Most pixels that a byte of a JPEG file can stand for: a block of 64 takes a bit at least.
const JPEG_DENSITY: usize = 8 * 64;

/// Most pixels that a byte of a PNG file can stand for: eight a byte, which is the 1032nd part of
/// what it unfolds to.
const PNG_DENSITY: usize = 8 * 1032;

/// An image as it comes from a decoder: RGB bytes, pixel by pixel, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) rgb: Vec<u8>,
}

/// The kinds of files, which are told by their first bytes and not by their names.
enum Kind {
    Jpeg,
    Png,
}

impl Kind {
    fn of(reader: &mut impl BufRead) -> Result<Option<Self>, std::io::Error> {
        let head = reader.fill_buf()?;
        Ok(match head {
            _ if head.starts_with(&JPEG) => Some(Self::Jpeg),
            _ if head.starts_with(&PNG) => Some(Self::Png),
            _ => None,
        })
    }
}

impl Picture {
    /// The size `[height, width]` of the image of a file, from its header.
    pub(crate) fn size(path: &Path) -> Result<[usize; 2], DataError> {
        let file = File::open(path).map_err(DataError::read(path))?;
        let bytes = file.metadata().map_err(DataError::read(path))?.len();
        let mut reader = BufReader::new(file);
        let size = match Kind::of(&mut reader).map_err(DataError::read(path))? {
            Some(Kind::Jpeg) => {
                jpeg_size(reader).and_then(|size| plausible(size, bytes, JPEG_DENSITY))
            }
            Some(Kind::Png) => {
                png_size(reader).and_then(|size| plausible(size, bytes, PNG_DENSITY))
            }
            None => Err("neither JPEG nor PNG".to_owned()),
        };
        size.map_err(|reason| DataError::image(path, reason))
    }

    /// Reads and decodes a file. Grayscale becomes RGB, and what is transparent opaque.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = fs::read(path).map_err(DataError::read(path))?;
        let picture = match Kind::of(&mut bytes.as_slice()).map_err(DataError::read(path))? {
            Some(Kind::Jpeg) => jpeg(&bytes),
            Some(Kind::Png) => png(&bytes),
            None => Err("neither JPEG nor PNG".to_owned()),
        };
        picture.map_err(|reason| DataError::image(path, reason))
    }

    /// A picture of bytes `[3, height, width]`.
    pub(crate) fn of_planes(planes: &[u8], [height, width]: [usize; 2]) -> Self {
        let pixels = height * width;
        let mut rgb = vec![0; 3 * pixels];
        for (channel, plane) in planes.chunks_exact(pixels.max(1)).enumerate() {
            for (pixel, value) in rgb.chunks_exact_mut(3).zip(plane) {
                pixel[channel] = *value;
            }
        }
        Self { width, height, rgb }
    }

    /// The bytes `[3, height, width]`.
    pub(crate) fn planes(&self) -> Vec<u8> {
        let mut planes = Vec::with_capacity(self.rgb.len());
        for channel in 0..3 {
            planes.extend(self.rgb.chunks_exact(3).map(|pixel| pixel[channel]));
        }
        planes
    }

    /// The middle of the picture at another size: its short side is brought to that of `size`
    /// divided by `share`, and the middle is cut out. Bytes `[3, height, width]`.
    pub(crate) fn middle(&self, size: [usize; 2], share: f64) -> Result<Vec<u8>, DataError> {
        let [height, width] = size;
        let short = self.height.min(self.width);
        let side = (height.min(width) as f64 / share).round() as usize;
        let resized = match side == short {
            true => Cow::Borrowed(self),
            false => {
                let scaled = |length: usize| (length * side / short).max(side);
                let to = [scaled(self.height), scaled(self.width)];
                Cow::Owned(self.resize(None, to)?)
            }
        };
        Ok(resized.cut_middle(size).planes())
    }

    /// A part of the picture at another size, `[3, height, width]`.
    pub(crate) fn crop(&self, crop: ResizedCrop, size: [usize; 2]) -> Result<Vec<u8>, DataError> {
        let mut part = self.resize(Some(crop), size)?;
        if crop.flip {
            for row in part.rgb.chunks_exact_mut(3 * part.width) {
                row.reverse();
                row.chunks_exact_mut(3).for_each(<[u8]>::reverse);
            }
        }
        Ok(part.planes())
    }

    /// Resizes the picture, or a part of it, with the bilinear filter that PIL uses: over all
    /// pixels that fall onto one.
    fn resize(
        &self,
        part: Option<ResizedCrop>,
        [height, width]: [usize; 2],
    ) -> Result<Self, DataError> {
        let failed = |error: &dyn std::fmt::Display| {
            let found = format!("{}x{}", self.width, self.height);
            let expected = format!("a size that becomes {width}x{height}: {error}");
            DataError::invalid("Picture", "size", found, expected)
        };
        if height.saturating_mul(width) > MOST_PIXELS {
            return Err(failed(&format!("more than {MOST_PIXELS} pixels")));
        }
        let (w, h) = (self.width as u32, self.height as u32);
        // Typed, since the other images of the crate bring in the code for all kinds of pixels.
        let source = TypedImageRef::<U8x3>::from_buffer(w, h, &self.rgb).map_err(|e| failed(&e))?;
        let mut rgb = vec![0; 3 * height * width];
        let mut target = TypedImage::<U8x3>::from_buffer(width as u32, height as u32, &mut rgb)
            .map_err(|e| failed(&e))?;
        let filter = ResizeAlg::Convolution(FilterType::Bilinear);
        let mut options = ResizeOptions::new().resize_alg(filter).use_alpha(false);
        if let Some(part) = part {
            let [left, top, width, height] =
                [part.left, part.top, part.width, part.height].map(f64::from);
            options = options.crop(left, top, width, height);
        }
        let mut resizer = Resizer::new();
        resizer
            .resize_typed(&source, &mut target, &options)
            .map_err(|e| failed(&e))?;
        Ok(Self { width, height, rgb })
    }

    /// The middle, of a size that is not greater.
    fn cut_middle(&self, [height, width]: [usize; 2]) -> Cow<'_, Self> {
        if [height, width] == [self.height, self.width] {
            return Cow::Borrowed(self);
        }
        // Halves are rounded to even, as by Python.
        let before = |whole: usize, part: usize| {
            ((whole.saturating_sub(part)) as f64 / 2.0).round_ties_even() as usize
        };
        let (top, left) = (before(self.height, height), before(self.width, width));
        let rows = self.rgb.chunks_exact(3 * self.width).skip(top).take(height);
        let rgb = rows.flat_map(|row| &row[3 * left..3 * (left + width)]);
        Cow::Owned(Self {
            width,
            height,
            rgb: rgb.copied().collect(),
        })
    }
}

fn jpeg_size(reader: impl BufRead + Seek) -> Result<[usize; 2], String> {
    let mut decoder = JpegDecoder::new(reader);
    decoder.decode_headers().map_err(|error| reason(&error))?;
    let size = decoder.dimensions();
    size.map(|(width, height)| [height, width])
        .ok_or_else(|| "its size is missing".to_owned())
}

fn png_size(reader: impl BufRead + Seek) -> Result<[usize; 2], String> {
    let reader = png::Decoder::new(reader).read_info();
    let reader = reader.map_err(|error| reason(&error))?;
    let info = reader.info();
    Ok([info.height as usize, info.width as usize])
}

/// A size `[height, width]` of which no side is 0, if a file of so many bytes can have it: memory is
/// only asked for what the file can fill.
fn plausible(size: [usize; 2], bytes: u64, density: usize) -> Result<[usize; 2], String> {
    let [height, width] = size;
    let pixels = height.saturating_mul(width);
    let most = usize::try_from(bytes).unwrap_or(usize::MAX);
    if pixels == 0 {
        return Err("it has no pixels".to_owned());
    }
    if pixels > MOST_PIXELS {
        return Err(format!(
            "{width}x{height} are more than {MOST_PIXELS} pixels"
        ));
    }
    if pixels > most.saturating_mul(density) {
        return Err(format!(
            "{width}x{height} pixels do not fit into {bytes} bytes"
        ));
    }
    Ok(size)
}

/// Decodes strictly, so that a file which was cut off is no half gray image. A file with its end
/// that is not strictly right is read all the same, as other programs do.
fn jpeg(bytes: &[u8]) -> Result<Picture, String> {
    let decode = |strict: bool| {
        let options = DecoderOptions::default()
            .set_strict_mode(strict)
            .set_max_width(GREATEST_SIDE)
            .set_max_height(GREATEST_SIDE)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(Cursor::new(bytes), options);
        decoder.decode_headers().map_err(|error| reason(&error))?;
        let (width, height) = decoder.dimensions().unwrap_or_default();
        plausible([height, width], bytes.len() as u64, JPEG_DENSITY)?;
        let rgb = decoder.decode().map_err(|error| reason(&error))?;
        let (width, height) = decoder.dimensions().unwrap_or_default();
        Picture::checked(width, height, rgb)
    };
    let tail = &bytes[bytes.len().saturating_sub(JPEG_TAIL)..];
    let whole = tail.windows(2).any(|pair| pair == JPEG_END);
    decode(true).or_else(|strict| if whole { decode(false) } else { Err(strict) })
}

fn png(bytes: &[u8]) -> Result<Picture, String> {
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(|error| reason(&error))?;
    let sides = [reader.info().height as usize, reader.info().width as usize];
    plausible(sides, bytes.len() as u64, PNG_DENSITY)?;
    let size = reader.output_buffer_size();
    let mut decoded = vec![0; size.ok_or("its size is too large")?];
    let info = reader
        .next_frame(&mut decoded)
        .map_err(|error| reason(&error))?;
    decoded.truncate(info.buffer_size());
    let samples = info.color_type.samples();
    let rgb = match samples {
        3 => decoded,
        4 => decoded
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect(),
        _ => decoded
            .chunks_exact(samples)
            .flat_map(|p| [p[0]; 3])
            .collect(),
    };
    Picture::checked(info.width as usize, info.height as usize, rgb)
}

impl Picture {
    fn checked(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self, String> {
        match rgb.len() == 3 * width * height && !rgb.is_empty() {
            true => Ok(Self { width, height, rgb }),
            false => Err(format!("{} bytes for {width}x{height} pixels", rgb.len())),
        }
    }
}

/// An error of a decoder as a part of one line.
fn reason(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
