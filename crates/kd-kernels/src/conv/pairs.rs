//! Which input meets which output.

use super::shape::ConvShape;

/// A run of places that follow each other in input and output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) output: usize,
    pub(super) input: usize,
    pub(super) length: usize,
}

/// All places of a map that a convolution brings together. What lies in the padding is not there.
#[derive(Debug)]
pub(super) struct Pairs {
    /// For each place of the output, the elements of the filter and the inputs that they meet.
    pub(super) of_output: Vec<Vec<(usize, usize)>>,
    /// For each place of the input, the elements of the filter and the outputs that they make.
    pub(super) of_input: Vec<Vec<(usize, usize)>>,
    /// For each element of the filter, what it brings together.
    pub(super) of_element: Vec<Vec<Run>>,
}

impl Pairs {
    pub(super) fn new(shape: &ConvShape) -> Self {
        let [height, width] = shape.kernel;
        let [output_height, output_width] = shape.output();
        let mut of_output = vec![Vec::new(); shape.output_pixels()];
        let mut of_input = vec![Vec::new(); shape.pixels()];
        let mut of_element: Vec<Vec<Run>> = vec![Vec::new(); height * width];
        let met = |axis: usize, output: usize, tap: usize| {
            let place = output * shape.stride[axis] + tap * shape.dilation[axis];
            let place = place.checked_sub(shape.padding[axis])?;
            (place < shape.size[axis]).then_some(place)
        };
        for row in 0..output_height {
            for column in 0..output_width {
                let output = row * output_width + column;
                for (element, runs) in of_element.iter_mut().enumerate() {
                    let (tap_row, tap_column) = (element / width, element % width);
                    let input = met(0, row, tap_row).zip(met(1, column, tap_column));
                    let Some((y, x)) = input else {
                        continue;
                    };
                    let input = y * shape.size[1] + x;
                    of_output[output].push((element, input));
                    of_input[input].push((element, output));
                    match runs.last_mut() {
                        Some(run)
                            if run.output + run.length == output
                                && run.input + run.length == input =>
                        {
                            run.length += 1;
                        }
                        _ => runs.push(Run {
                            output,
                            input,
                            length: 1,
                        }),
                    }
                }
            }
        }
        Self {
            of_output,
            of_input,
            of_element,
        }
    }
}
