//! What was distilled where, as images.

use super::message::{Content, DataClass, DataType, Metadata, Plugin, Shape, Tensor, Value};
use crate::{RoutingRecord, heat_color};

/// Pixels along an axis that a map is brought near to, and those of a cell at most.
const SIDE: usize = 480;
const LARGEST: usize = 24;

/// A map of spots by epochs of the run, those that are still to come without a value.
pub(super) fn by_epoch(record: &RoutingRecord, epochs: usize) -> Option<Value> {
    let columns = epochs.max(record.epochs.len());
    let share = |spot: usize, epoch: usize| record.epochs.get(epoch)?.get(spot).copied();
    let spots: Vec<String> = (1..).zip(&record.spots).map(numbered).collect();
    let description = format!(
        "Share of samples that were chosen for distillation, from none (violet) to all (yellow): rows are \
         spots ({}), columns are epochs.",
        spots.join(", ")
    );
    map(
        "routing/epochs",
        description,
        [record.spots.len(), columns],
        share,
    )
}

/// A map of classes by spots, in the last epoch.
pub(super) fn by_class(record: &RoutingRecord) -> Option<Value> {
    let share =
        |class: usize, spot: usize| record.by_class.get(class)?.as_ref()?.get(spot).copied();
    let spots: Vec<String> = (1..).zip(&record.spots).map(numbered).collect();
    let description = format!(
        "Share of samples that were chosen for distillation in this epoch, from none (violet) to all \
         (yellow): rows are classes in their order, columns are spots ({}).",
        spots.join(", ")
    );
    let size = [record.by_class.len(), record.spots.len()];
    map("routing/classes", description, size, share)
}

fn numbered((number, name): (usize, &String)) -> String {
    format!("{number}: {name}")
}

/// A map of shares by row and column.
fn map(
    tag: &str,
    description: String,
    [rows, columns]: [usize; 2],
    share: impl Fn(usize, usize) -> Option<f64>,
) -> Option<Value> {
    if rows == 0 || columns == 0 {
        return None;
    }
    let side = |cells: usize| (SIDE / cells).clamp(1, LARGEST);
    let (height, width) = (side(rows), side(columns));
    let mut pixels = Vec::with_capacity(rows * height * columns * width * 3);
    for row in 0..rows {
        let color = |column: usize| heat_color(share(row, column).unwrap_or(f64::NAN));
        let line: Vec<u8> = (0..columns)
            .flat_map(|column| std::iter::repeat_n(color(column), width).flatten())
            .collect();
        for _ in 0..height {
            pixels.extend(&line);
        }
    }
    let (height, width) = (rows * height, columns * width);
    let png = png([width, height], &pixels)?;
    let sizes = [width, height].map(|side| side.to_string().into_bytes());
    Some(Value {
        tag: tag.to_owned(),
        metadata: Some(Metadata {
            plugin: Some(Plugin {
                name: "images".to_owned(),
                content: Vec::new(),
            }),
            description,
            data_class: DataClass::BlobSequence.into(),
        }),
        content: Some(Content::Tensor(Tensor {
            data_type: DataType::String.into(),
            shape: Some(Shape::of(&[3])),
            content: Vec::new(),
            strings: sizes.into_iter().chain([png]).collect(),
        })),
    })
}

/// An RGB image as PNG; `None` for one that is too large for it.
fn png([width, height]: [usize; 2], pixels: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder =
        png::Encoder::new(&mut bytes, width.try_into().ok()?, height.try_into().ok()?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(pixels).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use kd_spot::RoutingMode;

    use super::*;

    fn record() -> RoutingRecord {
        RoutingRecord {
            routing: RoutingMode::Adaptive,
            spots: vec!["stage 1".to_owned(), "logits".to_owned()],
            distills: vec![true, true],
            epochs: vec![vec![0.0, 1.0], vec![0.5, 0.25]],
            classes: vec!["0".to_owned(), "1".to_owned(), "2".to_owned()],
            by_class: vec![Some(vec![0.0, 1.0]), None, Some(vec![0.5, 0.5])],
        }
    }

    /// Width, height and pixels.
    fn decoded(value: Value) -> (u32, u32, Vec<u8>) {
        let Some(Content::Tensor(tensor)) = value.content else {
            panic!("a tensor")
        };
        let [width, height, bytes] = &tensor.strings[..] else {
            panic!("three strings")
        };
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        let info = reader.next_frame(&mut pixels).expect("an image");
        assert_eq!(width, &info.width.to_string().into_bytes());
        assert_eq!(height, &info.height.to_string().into_bytes());
        (info.width, info.height, pixels)
    }

    #[test]
    fn spots_by_epochs_leave_room_for_what_is_to_come() {
        let (width, height, pixels) = decoded(by_epoch(&record(), 3).expect("a map"));
        assert_eq!((width, height), (72, 48));
        let at = |x: usize, y: usize| {
            let start = (y * width as usize + x) * 3;
            <[u8; 3]>::try_from(&pixels[start..start + 3]).expect("a pixel")
        };
        assert_eq!(at(0, 0), heat_color(0.0));
        assert_eq!(at(30, 10), heat_color(0.5));
        assert_eq!(at(10, 40), heat_color(1.0));
        assert_eq!(at(71, 47), heat_color(f64::NAN));
    }

    #[test]
    fn classes_without_images_have_no_value() {
        let (width, height, pixels) = decoded(by_class(&record()).expect("a map"));
        assert_eq!((width, height), (48, 72));
        let start = 30 * width as usize * 3;
        assert_eq!(pixels[start..start + 3], heat_color(f64::NAN));
    }

    #[test]
    fn long_runs_have_narrow_columns() {
        let (width, _, _) = decoded(by_epoch(&record(), 240).expect("a map"));
        assert_eq!(width, 480);
        let none = RoutingRecord {
            by_class: Vec::new(),
            ..record()
        };
        assert!(by_class(&none).is_none());
    }
}
