//! Matrices with too many cells for a drawing.

use super::theme;

/// Colors of the map; one more says that there is no value.
const STEPS: u8 = 100;

/// A PNG of one pixel a cell, in the colors of heat-maps.
pub fn encode(values: &[Vec<f64>]) -> Result<Vec<u8>, png::EncodingError> {
    let width = values.iter().map(Vec::len).max().unwrap_or(0);
    let pixel = |value: Option<&f64>| match value {
        Some(value) if value.is_finite() => {
            (value.clamp(0.0, 1.0) * f64::from(STEPS - 1)).round() as u8
        }
        _ => STEPS,
    };
    let row = |row: &Vec<f64>| {
        (0..width)
            .map(|column| pixel(row.get(column)))
            .collect::<Vec<_>>()
    };
    let pixels: Vec<u8> = values.iter().flat_map(row).collect();
    let colors = (0..STEPS).map(|step| theme::map_color(f64::from(step) / f64::from(STEPS - 1)));
    let colors = colors.chain([theme::map_color(f64::NAN)]);
    let palette: Vec<u8> = colors
        .flat_map(|(red, green, blue)| [red, green, blue])
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, values.len() as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_pixel_in_its_color() {
        let bytes = encode(&[vec![0.0, 1.0], vec![f64::NAN]]).expect("a PNG");
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
        reader.next_frame(&mut pixels).expect("pixels");
        let colors: Vec<_> = pixels.chunks_exact(3).map(|p| (p[0], p[1], p[2])).collect();
        let [none, low, high] = [f64::NAN, 0.0, 1.0].map(theme::map_color);
        assert_eq!(colors, [low, high, none, none]);
    }
}
