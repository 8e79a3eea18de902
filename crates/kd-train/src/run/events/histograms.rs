//! The distribution of a network's weights.

use super::message::{Content, DataClass, DataType, Metadata, Plugin, Shape, Tensor, Value};

/// Buckets of a histogram: TensorBoard's own number.
const BUCKETS: usize = 30;

/// How often values lie in each of 30 ranges of one width, from the least value to the greatest. Values that
/// are not finite are left out; `None` if there are no others.
pub(super) fn histogram(tag: &str, values: &[f32]) -> Option<Value> {
    let finite = || values.iter().copied().filter(|value| value.is_finite());
    let least = f64::from(finite().reduce(f32::min)?);
    let greatest = f64::from(finite().reduce(f32::max)?);
    let width = (greatest - least) / BUCKETS as f64;
    let mut counts = [0_u64; BUCKETS];
    for value in finite() {
        // Where all values are one, the quotient is no number, which becomes 0.
        let bucket = ((f64::from(value) - least) / width) as usize;
        counts[bucket.min(BUCKETS - 1)] += 1;
    }
    let edge = |index: usize| match index {
        BUCKETS => greatest,
        index => least + width * index as f64,
    };
    let rows = counts.iter().enumerate();
    let numbers = rows.flat_map(|(at, count)| [edge(at), edge(at + 1), *count as f64]);
    Some(Value {
        tag: tag.to_owned(),
        metadata: Some(Metadata {
            plugin: Some(Plugin {
                name: "histograms".to_owned(),
                content: Vec::new(),
            }),
            description: String::new(),
            data_class: DataClass::Tensor.into(),
        }),
        content: Some(Content::Tensor(Tensor {
            data_type: DataType::Double.into(),
            shape: Some(Shape::of(&[BUCKETS, 3])),
            content: numbers.flat_map(f64::to_le_bytes).collect(),
            strings: Vec::new(),
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left, right, count.
    fn rows(values: &[f32]) -> Vec<[f64; 3]> {
        let value = histogram("weights", values).expect("a histogram");
        let Some(Content::Tensor(tensor)) = value.content else {
            panic!("a tensor")
        };
        let (numbers, _) = tensor.content.as_chunks::<8>();
        let numbers: Vec<f64> = numbers
            .iter()
            .map(|bytes| f64::from_le_bytes(*bytes))
            .collect();
        numbers.as_chunks::<3>().0.to_vec()
    }

    #[test]
    fn every_value_is_counted_once_where_it_lies() {
        let values: Vec<f32> = (0..=300).map(|value| value as f32 / 10.0 - 15.0).collect();
        let rows = rows(&values);
        assert_eq!(rows.len(), BUCKETS);
        assert_eq!(rows[0][0], -15.0);
        assert_eq!(rows[BUCKETS - 1][1], 15.0);
        for [left, right, count] in rows {
            let inside = |value: &&f32| {
                let value = f64::from(**value);
                left <= value && (value < right || right == 15.0)
            };
            assert_eq!(count, values.iter().filter(inside).count() as f64, "{left}");
        }
    }

    #[test]
    fn one_value_and_none() {
        let rows = rows(&[0.5; 7]);
        assert_eq!(rows[0], [0.5, 0.5, 7.0]);
        assert_eq!(rows.iter().map(|row| row[2]).sum::<f64>(), 7.0);
        assert!(histogram("weights", &[f32::NAN, f32::INFINITY]).is_none());
        assert!(histogram("weights", &[]).is_none());
    }
}
