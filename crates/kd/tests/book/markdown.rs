//! What the tests look at in a page of Markdown.

use std::collections::HashMap;
use std::path::PathBuf;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The start of a comment that holds commands: what a reader of the page has done before.
const SETUP: &str = "<!-- setup\n";

/// A page.
pub struct Page {
    /// Its path in the repository.
    pub path: PathBuf,
    pub listings: Vec<Listing>,
    /// Targets of links and images, and the line of each.
    pub links: Vec<(usize, String)>,
    /// What headings are called in links.
    pub anchors: Vec<String>,
    /// The first cell of each row of a table.
    pub rows: Vec<String>,
    /// Code in running text, and the line of each.
    pub inline: Vec<(usize, String)>,
}

/// A fenced block, or the commands of a comment.
#[derive(Debug)]
pub struct Listing {
    pub line: usize,
    pub language: String,
    /// What follows the language in the info string.
    pub tags: Vec<String>,
    pub text: String,
}

impl Listing {
    fn new(line: usize, info: &str, text: String) -> Self {
        let mut words = info.split(',').map(|word| word.trim().to_owned());
        Self {
            line,
            language: words.next().unwrap_or_default(),
            tags: words.collect(),
            text,
        }
    }

    pub fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|other| other == tag)
    }

    /// The value of a tag `key:value`. (With `=`, rustdoc would not read the tags behind it.)
    pub fn value(&self, key: &str) -> Option<&str> {
        let mut tags = self.tags.iter();
        tags.find_map(|tag| tag.strip_prefix(key)?.strip_prefix(':'))
    }
}

impl Page {
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The listings of a language.
    pub fn of(&self, language: &str) -> impl Iterator<Item = &Listing> {
        self.listings
            .iter()
            .filter(move |listing| listing.language == language)
    }

    pub fn parse(path: PathBuf, text: String) -> Self {
        let mut page = Self {
            path,
            listings: Vec::new(),
            links: Vec::new(),
            anchors: Vec::new(),
            rows: Vec::new(),
            inline: Vec::new(),
        };
        let mut reader = Reader::default();
        let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
        for (event, range) in Parser::new_ext(&text, options).into_offset_iter() {
            let line = 1 + text[..range.start].matches('\n').count();
            reader.read(event, line, &mut page);
        }
        page
    }
}

/// What is open while a page is read.
#[derive(Default)]
struct Reader {
    listing: Option<Listing>,
    comment: Option<(usize, String)>,
    heading: Option<String>,
    cell: Option<String>,
    /// Whether the next cell is the first of its row.
    first: bool,
    seen: HashMap<String, usize>,
}

impl Reader {
    fn read(&mut self, event: Event<'_>, line: usize, page: &mut Page) {
        match event {
            Event::Start(tag) => self.open(tag, line, page),
            Event::End(end) => self.close(end, page),
            Event::Text(text) => self.text(&text),
            Event::Code(code) => {
                self.text(&code);
                page.inline.push((line, code.into_string()));
            }
            Event::Html(html) => {
                if let Some((_, comment)) = &mut self.comment {
                    comment.push_str(&html);
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, tag: Tag<'_>, line: usize, page: &mut Page) {
        match tag {
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                self.listing = Some(Listing::new(line, &info, String::new()));
            }
            Tag::HtmlBlock => self.comment = Some((line, String::new())),
            Tag::Heading { .. } => self.heading = Some(String::new()),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                page.links.push((line, dest_url.into_string()));
            }
            Tag::TableRow | Tag::TableHead => self.first = true,
            Tag::TableCell if self.first => self.cell = Some(String::new()),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let listing = self.listing.as_mut().map(|listing| &mut listing.text);
        if let Some(open) = listing.or(self.heading.as_mut()).or(self.cell.as_mut()) {
            open.push_str(text);
        }
    }

    fn close(&mut self, end: TagEnd, page: &mut Page) {
        match end {
            TagEnd::CodeBlock => page.listings.extend(self.listing.take()),
            TagEnd::HtmlBlock => page.listings.extend(self.comment.take().and_then(setup)),
            TagEnd::Heading(_) => {
                let heading = self.heading.take().unwrap_or_default();
                page.anchors.push(self.anchor(&heading));
            }
            TagEnd::TableCell => {
                self.first = false;
                page.rows.extend(self.cell.take());
            }
            _ => {}
        }
    }

    /// What a heading is called, by the rule that GitHub and mdBook have in common.
    fn anchor(&mut self, heading: &str) -> String {
        let kept = heading.chars().filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        });
        let anchor = kept.collect::<String>().to_lowercase();
        let count = self.seen.entry(anchor.clone()).or_default();
        *count += 1;
        match *count {
            1 => anchor,
            more => format!("{anchor}-{}", more - 1),
        }
    }
}

/// The commands of a comment, if it has some.
fn setup((line, comment): (usize, String)) -> Option<Listing> {
    let commands = comment
        .strip_prefix(SETUP)?
        .trim_end()
        .strip_suffix("-->")?;
    Some(Listing::new(line, "sh,setup", commands.to_owned()))
}
