//! Tables as a page of their own.

use super::escape::escaped_html;
use super::layout::{Block, Content, Section};

const HEAD: &str = include_str!("head.html");

pub(super) fn render(sections: &[Section]) -> String {
    let mut page = HEAD.to_owned();
    for section in sections {
        page.push_str(&format!("<h2>{}</h2>\n", escaped_html(&section.title)));
        for block in &section.blocks {
            page.push_str(&table(block));
        }
        page.push_str("<ul>\n");
        for note in &section.notes {
            page.push_str(&format!("<li>{}</li>\n", escaped_html(note)));
        }
        page.push_str("</ul>\n");
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn table(block: &Block) -> String {
    let mut text = String::from("<div class=\"wide\"><table>\n<thead>\n");
    if block.groups.iter().any(|group| !group.title.is_empty()) {
        text.push_str("<tr><td></td>");
        for group in &block.groups {
            let columns = group.columns.len();
            let title = escaped_html(&group.title);
            let head = format!("<th colspan=\"{columns}\" scope=\"colgroup\">{title}</th>");
            text.push_str(&head);
        }
        text.push_str("</tr>\n");
    }
    text.push_str("<tr><td></td>");
    for column in block.groups.iter().flat_map(|group| &group.columns) {
        text.push_str(&format!("<th scope=\"col\">{}</th>", escaped_html(column)));
    }
    text.push_str("</tr>\n</thead>\n<tbody>\n");
    for row in &block.rows {
        text.push_str(&format!(
            "<tr><th scope=\"row\">{}</th>",
            escaped_html(&row.label)
        ));
        for group in &row.cells {
            for (index, content) in group.iter().enumerate() {
                text.push_str(&cell(content, index == 0));
            }
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table></div>\n");
    text
}

fn cell(content: &Content, first: bool) -> String {
    let class = if first { " class=\"first\"" } else { "" };
    let mut text = format!("<td{class}>{}", escaped_html(&content.ours));
    for figure in &content.published {
        text.push_str(&format!("<br><small>[{}]</small>", escaped_html(figure)));
    }
    text + "</td>"
}
