//! Images that distillation fixed and broke.

use super::parts::{Section, absent, details, escaped, image, numbered, paragraph};
use crate::Report;
use crate::analysis::{Predictions, examples};
use crate::networks::TestImages;

/// Images of either kind for one run, and for all runs together.
const MOST: (usize, usize) = (12, 72);
/// Greatest side of an image, in pixels.
const SIDE: usize = 64;

pub(super) fn section(report: &Report) -> Section {
    let title = "Examples";
    let compared: Vec<_> = numbered(report)
        .filter_map(|(place, run)| {
            let (before, _) = report.networks.student(run.baseline?)?;
            let (after, images) = report.networks.student(place)?;
            Some((run, &before.predictions, &after.predictions, images))
        })
        .collect();
    if compared.is_empty() {
        let body = absent(
            "There is no run beside its student alone whose networks could both be asked about the \
             same images.",
        );
        return Section::new("examples", title, body);
    }
    let most = (MOST.1 / compared.len()).clamp(2, MOST.0);
    let mut body = paragraph(
        "Test images on which a run and its student alone differ, those first whose label's probability \
         differs most. Below each: its class, what the run says, and what the student alone says.",
    );
    for (index, (run, before, after, images)) in compared.iter().enumerate() {
        let Ok(found) = examples(before, after, most) else {
            continue;
        };
        let rows = [
            (
                "Fixed",
                "only this run is right",
                &found.fixed,
                found.all_fixed,
            ),
            (
                "Broken",
                "only the student alone is right",
                &found.broken,
                found.all_broken,
            ),
        ];
        let rows = rows.map(|(name, what, shown, all)| {
            let cards: String = shown
                .iter()
                .filter_map(|index| card(*index, [before, after], images))
                .collect();
            let head = format!("{name}: {what}, {all} of {} images", before.len());
            format!(
                "<h3>{}</h3>\n<div class=\"cards\">\n{cards}</div>\n",
                escaped(&head)
            )
        });
        body.push_str(&details(&run.name, &rows.concat(), index < 3));
    }
    Section::new("examples", title, body)
}

fn card(index: usize, [before, after]: [&Predictions; 2], images: &TestImages) -> Option<String> {
    let png = png_of(images, index)?;
    let [label, run, alone] = [
        images.labels[index],
        after.choices()[index],
        before.choices()[index],
    ]
    .map(|class| images.class(class));
    let alt = format!("test image of the class {label}");
    Some(format!(
        "<figure class=\"card\">{}<figcaption><b>{}</b><br>run: {}<br>alone: {}</figcaption></figure>\n",
        image(&png, &alt, "picture"),
        escaped(&label),
        escaped(&run),
        escaped(&alone)
    ))
}

/// An image as a PNG, large ones by a pixel of every few.
fn png_of(images: &TestImages, index: usize) -> Option<Vec<u8>> {
    let set = &images.images;
    let planes = set.image(index).ok()?;
    let [height, width] = [set.height(), set.width()];
    let step = height.max(width).div_ceil(SIDE).max(1);
    let plane = height * width;
    let mut pixels = Vec::new();
    for row in (0..height).step_by(step) {
        for column in (0..width).step_by(step) {
            let place = row * width + column;
            pixels.extend([0, 1, 2].map(|channel| planes[channel * plane + place]));
        }
    }
    let size = [height, width].map(|side| side.div_ceil(step) as u32);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, size[1], size[0]);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&pixels).ok()?;
    writer.finish().ok()?;
    Some(bytes)
}
