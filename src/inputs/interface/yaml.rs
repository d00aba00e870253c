//! Text stubs as a tree of scalars, lists and mappings. Their last version is JSON, which is YAML, too.

use crate::base::{Error, Place, Result};
use saphyr_parser::{Event, Parser, ScanError, Span};
use std::borrow::Cow;

/// Text stubs nest five deep.
const MAX_DEPTH: usize = 16;

/// A value of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node<'text> {
    Scalar(Cow<'text, str>),
    List(Vec<Node<'text>>),
    Map(Vec<(Cow<'text, str>, Node<'text>)>),
}

impl<'text> Node<'text> {
    /// The value of a key of a mapping.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(entries) = self else { return None };
        entries.iter().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// The items of a list; of anything else, none.
    pub(super) fn items(&self) -> &[Self] {
        if let Self::List(items) = self { items } else { &[] }
    }

    pub(super) fn text(&self) -> Option<&Cow<'text, str>> {
        if let Self::Scalar(text) = self { Some(text) } else { None }
    }

    /// The items of the list under a key.
    pub(super) fn list(&self, key: &str) -> &[Self] {
        self.get(key).map_or(&[], Self::items)
    }
}

/// All documents of a text.
pub(super) fn documents<'text>(place: &Place, text: &'text str) -> Result<Vec<Node<'text>>> {
    let mut reader = Reader { place, events: Parser::new_from_str(text) };
    let mut documents = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
            event => documents.push(reader.node(event, span, 0)?),
        }
    }
    Ok(documents)
}

struct Reader<'place, 'text> {
    place: &'place Place,
    events: Parser<'text, saphyr_parser::StrInput<'text>>,
}

impl<'text> Reader<'_, 'text> {
    fn next(&mut self) -> Result<Option<(Event<'text>, Span)>> {
        self.events.next().transpose().map_err(|error: ScanError| {
            self.malformed(error.marker().line(), &format!("not well-formed YAML: {}", error.info()))
        })
    }

    fn malformed(&self, line: usize, what: &str) -> Error {
        Error::malformed(self.place.clone(), format!("line {line}: {what}"))
    }

    fn inside(&mut self) -> Result<(Event<'text>, Span)> {
        match self.next()? {
            Some(event) => Ok(event),
            None => Err(Error::malformed(self.place.clone(), "ends within a document")),
        }
    }

    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node<'text>> {
        if depth > MAX_DEPTH {
            return Err(self.malformed(span.start.line(), "nests deeper than any text stub"));
        }
        match event {
            Event::Scalar(text, ..) => Ok(Node::Scalar(text)),
            Event::SequenceStart(..) => self.list(depth),
            Event::MappingStart(..) => self.map(depth),
            // An alias can make a small file a tree of any size.
            Event::Alias(_) => {
                Err(self.malformed(span.start.line(), "has an alias, which text stubs never have"))
            }
            _ => Err(self.malformed(span.start.line(), "has no value where one is due")),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Node<'text>> {
        let mut items = Vec::new();
        loop {
            match self.inside()? {
                (Event::SequenceEnd, _) => return Ok(Node::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Node<'text>> {
        let mut entries = Vec::new();
        loop {
            let key = match self.inside()? {
                (Event::MappingEnd, _) => return Ok(Node::Map(entries)),
                (Event::Scalar(text, ..), _) => text,
                (_, span) => return Err(self.malformed(span.start.line(), "has a key that is no word")),
            };
            let (event, span) = self.inside()?;
            entries.push((key, self.node(event, span, depth + 1)?));
        }
    }
}
