//! That convolutions of any shape touch nothing beyond what they are given, and write all results.

use proptest::prelude::*;

use super::epilogue::Epilogue;
use super::mask::GradMask;
use super::select::{backward, forward};
use super::shape::ConvShape;
use super::{depthwise, small, winograd};
use crate::guard::{Edge, Guarded};

/// Shapes of a family; Miri, which takes a minute for a second, sees a few.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 48 })
    }
}

/// Numbers of which some are zeros and most are not.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    let number = |index: usize| ((index * 7 + seed * 5) % 23) as f32 / 8.0 - 1.25;
    (0..count).map(number).collect()
}

/// Computes everything with all inputs at a forbidden page, and compares with inputs elsewhere.
fn check(shape: ConvShape, absent: usize) {
    let length = shape.batch * shape.image_out();
    let x = numbers(shape.batch * shape.image_in(), 1);
    let weight = numbers(
        shape.outputs * shape.group_inputs() * shape.kernel[0] * shape.kernel[1],
        2,
    );
    let bias = numbers(shape.outputs, 3);
    let residual = numbers(length, 4);
    let mut dy = numbers(length, 5);
    // Images without gradients are left out.
    dy[..absent.min(shape.batch) * shape.image_out()].fill(0.0);

    let both = GradMask {
        input: true,
        weight: true,
    };
    let compute = |[x, weight, bias, residual, dy]: [&[f32]; 5]| {
        let whole = Epilogue {
            bias: Some(bias),
            residual: Some(residual),
            relu: true,
        };
        let epilogues = [Epilogue::default(), whole];
        let outputs = epilogues.map(|after| forward(shape, x, weight, after));
        let masks = [GradMask::INPUT, GradMask::WEIGHT, both];
        let gradients = masks.map(|mask| backward(shape, x, weight, dy, mask));
        (outputs, gradients)
    };
    let inputs = [&x, &weight, &bias, &residual, &dy].map(Vec::as_slice);
    let expected = compute(inputs);
    for edge in Edge::BOTH {
        let guarded = inputs.map(|input| Guarded::new(input, edge));
        assert!(compute(guarded.each_ref().map(|input| &**input)) == expected);
    }
}

fn pair(range: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

prop_compose! {
    /// Any options and groups.
    fn any_shape()(
        batch in 1usize..=5,
        groups in 1usize..=3,
        channels in [1usize..=5, 1usize..=9],
        kernel in pair(1..=4),
        stride in pair(1..=3),
        padding in pair(0..=2),
        dilation in pair(1..=2),
        more in pair(0..=12),
    ) -> ConvShape {
        let reach = [0, 1].map(|axis| dilation[axis] * (kernel[axis] - 1) + 1);
        ConvShape {
            batch,
            inputs: groups * channels[0],
            outputs: groups * channels[1],
            groups,
            // As small as it may be, and larger.
            size: [0, 1].map(|axis| (reach[axis] + more[axis]).saturating_sub(2 * padding[axis]).max(1)),
            kernel,
            stride,
            padding,
            dilation,
        }
    }
}

prop_compose! {
    fn pointwise()(
        batch in 1usize..=3,
        channels in pair(1..=40),
        size in pair(1..=17),
    ) -> ConvShape {
        plain(batch, channels, size, [1, 1], [0, 0])
    }
}

prop_compose! {
    /// Small maps of many images.
    fn small_maps()(
        batch in 32usize..=70,
        channels in pair(16..=19),
        size in pair(2..=10),
        kernel in pair(2..=3),
        stride in pair(1..=2),
    ) -> ConvShape {
        ConvShape {
            stride,
            ..plain(batch, channels, size, kernel, [1, 1])
        }
    }
}

prop_compose! {
    /// Wide 3×3 filters with outputs of an even size.
    fn wide()(
        batch in 4usize..=5,
        channels in pair(24..=27),
        padding in pair(0..=2),
        half in [2usize..=4, 16usize..=18],
    ) -> ConvShape {
        // The output has twice this size.
        let size = [0, 1].map(|axis| 2 * half[axis] + 2 - 2 * padding[axis]);
        plain(batch, channels, size, [3, 3], padding)
    }
}

fn plain(
    batch: usize,
    [inputs, outputs]: [usize; 2],
    size: [usize; 2],
    kernel: [usize; 2],
    padding: [usize; 2],
) -> ConvShape {
    ConvShape {
        batch,
        inputs,
        outputs,
        groups: 1,
        size,
        kernel,
        stride: [1, 1],
        padding,
        dilation: [1, 1],
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn of_any_shape(shape in any_shape(), absent in 0usize..=5) {
        check(shape, absent);
    }

    #[test]
    fn pointwise_ones(shape in pointwise(), absent in 0usize..=3) {
        prop_assert!(shape.is_pointwise());
        check(shape, absent);
    }

    #[test]
    fn depthwise_ones(shape in any_shape(), channels in 2usize..=40, absent in 0usize..=5) {
        let shape = ConvShape {
            inputs: channels,
            outputs: channels,
            groups: channels,
            ..shape
        };
        prop_assert!(depthwise::suits(&shape));
        check(shape, absent);
    }

    #[test]
    #[cfg_attr(miri, ignore = "hours")]
    fn of_small_maps(shape in small_maps(), absent in 0usize..=9) {
        prop_assert!(small::suits(&shape));
        check(shape, absent);
    }

    #[test]
    #[cfg_attr(miri, ignore = "hours")]
    fn in_winograds_form(shape in wide(), absent in 0usize..=2) {
        prop_assert!(winograd::suits(&shape));
        check(shape, absent);
    }
}
