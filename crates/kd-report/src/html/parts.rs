//! What all sections are made of.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub(super) use kd_recipes::table::escaped_html as escaped;

use crate::Report;
use crate::runs::Run;

/// A section of the page.
pub(super) struct Section {
    id: &'static str,
    title: &'static str,
    body: String,
}

impl Section {
    pub(super) fn new(id: &'static str, title: &'static str, body: String) -> Self {
        Self { id, title, body }
    }

    pub(super) fn link(&self) -> String {
        format!("<li><a href=\"#{}\">{}</a></li>\n", self.id, self.title)
    }

    pub(super) fn html(&self) -> String {
        let Self { id, title, body } = self;
        format!("<section id=\"{id}\">\n<h2>{title}</h2>\n{body}</section>\n")
    }
}

/// A paragraph; `text` is no HTML.
pub(super) fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escaped(text))
}

/// Says why something is not there.
pub(super) fn absent(text: &str) -> String {
    format!("<p class=\"absent\">{}</p>\n", escaped(text))
}

/// Says of several things why they are not there.
pub(super) fn all_absent(reasons: &[String]) -> String {
    match reasons {
        [] => String::new(),
        reasons => {
            let items = reasons
                .iter()
                .map(|reason| format!("<li>{}</li>\n", escaped(reason)));
            format!(
                "<ul class=\"absent\">\n{}</ul>\n",
                items.collect::<String>()
            )
        }
    }
}

/// Pictures with a caption that says how to read them; the pictures are HTML.
pub(super) fn figure(pictures: &[String], caption: &str) -> String {
    let pictures: String = pictures
        .iter()
        .map(|picture| format!("<div class=\"box\">{picture}</div>\n"))
        .collect();
    format!(
        "<figure>\n<div class=\"grid\">\n{pictures}</div>\n<figcaption>{}</figcaption>\n</figure>\n",
        escaped(caption)
    )
}

/// What can be unfolded; it begins folded unless `open`.
pub(super) fn details(summary: &str, body: &str, open: bool) -> String {
    let open = if open { " open" } else { "" };
    let summary = escaped(summary);
    format!("<details{open}>\n<summary>{summary}</summary>\n{body}</details>\n")
}

/// A PNG as a part of the page.
pub(super) fn image(png: &[u8], alt: &str, class: &str) -> String {
    format!(
        "<img class=\"{class}\" alt=\"{}\" src=\"data:image/png;base64,{}\">",
        escaped(alt),
        STANDARD.encode(png)
    )
}

/// A run by its name and color, which is that of its curves.
pub(super) fn run_name(report: &Report, place: usize) -> String {
    let run = &report.runs.runs[place];
    let color = place % crate::figures::COLORS;
    format!(
        "<span class=\"key\" style=\"--key:var(--c{color})\"></span>{}",
        escaped(&run.name)
    )
}

/// All runs by their place.
pub(super) fn numbered(report: &Report) -> impl Iterator<Item = (usize, &Run)> {
    report.runs.runs.iter().enumerate()
}

/// Why a network of a run was not asked, for all runs where `why` tells.
pub(super) fn reasons(report: &Report, why: impl Fn(usize) -> Option<String>) -> Vec<String> {
    let told = numbered(report).filter_map(|(place, run)| Some((&run.name, why(place)?)));
    let told: Vec<(&String, String)> = told.collect();
    let first = told.first().map(|(_, reason)| reason.clone());
    match first {
        // One reason for all is said once.
        Some(first) if told.len() > 1 && told.iter().all(|(_, reason)| *reason == first) => {
            let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
            vec![format!("{}: {first}", names.join(", "))]
        }
        _ => told
            .iter()
            .map(|(name, reason)| format!("{name}: {reason}"))
            .collect(),
    }
}

/// A sentence with a full stop.
pub(super) fn sentence(text: &str) -> String {
    match text.ends_with(['.', '!', '?']) {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_html_and_sentences_end() {
        assert_eq!(absent("<x>"), "<p class=\"absent\">&lt;x&gt;</p>\n");
        assert_eq!(sentence("so it is"), "so it is.");
        assert_eq!(sentence("is it?"), "is it?");
    }
}
