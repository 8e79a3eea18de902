//! Features as points.

use rayon::prelude::*;

use super::parts::{Section, absent, escaped, figure, numbered};
use crate::Report;
use crate::analysis::embedding;
use crate::figures::inline_scatter;
use crate::networks::{Answers, TestImages};

pub(super) fn section(report: &Report) -> Section {
    let title = "Features";
    let networks = &report.networks;
    let teachers = networks.other_teachers().map(|(teacher, images)| {
        let name = format!("teacher {}", teacher.name);
        (name, &teacher.answers, images)
    });
    let students = numbered(report).filter_map(|(place, run)| {
        let (answers, images) = networks.student(place)?;
        Some((run.name.clone(), answers, images))
    });
    // An ensemble has no features.
    let asked = teachers
        .chain(students)
        .filter(|(_, answers, _)| answers.length > 1);
    let asked: Vec<(String, &Answers, &TestImages)> = asked.collect();
    let pictures = asked
        .par_iter()
        .map(|(name, answers, images)| picture(name, answers, images));
    let pictures: Vec<String> = pictures.flatten().collect();
    let Some((_, _, images)) = asked.first().filter(|_| !pictures.is_empty()) else {
        let body = absent("No network was asked about the test images.");
        return Section::new("features", title, body);
    };
    let points: usize = images.points.iter().map(|(_, points)| points.len()).sum();
    let keys: String = images
        .points
        .iter()
        .enumerate()
        .map(|(index, (class, _))| {
            let name = escaped(&images.class(*class));
            format!("<li><span class=\"key\" style=\"--key:var(--c{index})\"></span>{name}</li>")
        })
        .collect();
    let caption = format!(
        "Pooled features, from which the last layer makes the logits, of {points} test images of {} \
         classes, as t-SNE lays them into the plane: images that are close for the network are close \
         here. Only neighborhoods mean something; axes, distances of clusters and their sizes do not.",
        images.points.len()
    );
    let body = format!(
        "<ul class=\"keys\">{keys}</ul>\n{}",
        figure(&pictures, &caption)
    );
    Section::new("features", title, body)
}

fn picture(name: &str, answers: &Answers, images: &TestImages) -> Option<String> {
    let points = embedding(&answers.features, answers.length).ok()?;
    let mut rest = &points[..];
    let groups: Vec<Vec<[f64; 2]>> = images
        .points
        .iter()
        .map(|(_, images)| {
            let (group, others) = rest.split_at(images.len().min(rest.len()));
            rest = others;
            group.to_vec()
        })
        .collect();
    let label = format!("Features of {name} as points of a plane, in a color for each class");
    Some(inline_scatter(name, &groups, &label))
}
