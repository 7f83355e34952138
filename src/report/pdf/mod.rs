//! The PDF, set by typst: PDF/A-3a and PDF/UA-1, the same bytes for the same report. It is for reading, so what it shows is
//! bounded ([`manuscript`]) and the rest is in the files that it names.

mod manuscript;

pub use manuscript::{File, Manuscript, PAGES};

use super::model::Report;
use std::sync::OnceLock;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration, Smart};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

const TEMPLATE: &str = include_str!("../../../templates/report.typ");
/// How often a report that is too long is set again, each time with fewer rows.
const TRIES: usize = 6;

/// Why a PDF could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the PDF could not be set: {0}")]
pub struct PdfError(String);

/// The report as PDF, set in this process.
///
/// # Errors
/// What typst says; a report that the view model allows always sets.
pub fn render(report: &Report) -> Result<Vec<u8>, PdfError> {
    set(manuscript::of(report)?)
}

/// What is set, for a process that does nothing else.
///
/// # Errors
/// A report that is no JSON.
pub fn manuscript(report: &Report) -> Result<Manuscript, PdfError> {
    manuscript::of(report)
}

/// Sets a manuscript, with fewer of its rows when it comes to more than [`PAGES`] pages.
///
/// # Errors
/// What typst says.
pub fn set(mut manuscript: Manuscript) -> Result<Vec<u8>, PdfError> {
    let standards =
        PdfStandards::new(&[PdfStandard::A_3a, PdfStandard::Ua_1]).map_err(|e| PdfError(format!("{e:?}")))?;
    for attempt in 1..=TRIES {
        let press = Press::new(serde_json::to_vec(&manuscript).map_err(|e| PdfError(e.to_string()))?)?;
        let document: PagedDocument = typst::compile(&press).output.map_err(|e| told(&e))?;
        let pages = document.pages().len();
        // The last time everything goes that can.
        if pages > PAGES && manuscript.shorten(if attempt + 1 < TRIES { pages } else { usize::MAX }) {
            // What typst remembers between compilations grows without end in a daemon.
            typst::comemo::evict(0);
            continue;
        }
        let ident = Smart::Custom(manuscript.ident.clone());
        let options = PdfOptions { ident, standards, ..PdfOptions::default() };
        let bytes = typst_pdf::pdf(&document, &options).map_err(|e| told(&e));
        typst::comemo::evict(0);
        return bytes;
    }
    Err(PdfError(format!("it has more than {PAGES} pages")))
}

fn told(errors: &[SourceDiagnostic]) -> PdfError {
    PdfError(errors.iter().map(|e| e.message.to_string()).collect::<Vec<_>>().join("; "))
}

/// What typst sees: one template, one file of data, the fonts that are compiled in. No file system, no clock.
struct Press {
    library: LazyHash<Library>,
    main: Source,
    data: (FileId, Bytes),
}

struct Case {
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
}

fn case() -> &'static Case {
    static CASE: OnceLock<Case> = OnceLock::new();
    CASE.get_or_init(|| {
        let fonts: Vec<Font> = typst_assets::fonts().filter_map(|f| Font::new(Bytes::new(f), 0)).collect();
        Case { book: LazyHash::new(FontBook::from_fonts(&fonts)), fonts }
    })
}

fn id(path: &str) -> Result<FileId, PdfError> {
    let path = VirtualPath::new(path).map_err(|e| PdfError(format!("{e:?}")))?;
    Ok(RootedPath::new(VirtualRoot::Project, path).intern())
}

impl Press {
    fn new(data: Vec<u8>) -> Result<Press, PdfError> {
        let main = Source::new(id("report.typ")?, TEMPLATE.to_owned());
        Ok(Press {
            library: LazyHash::new(Library::default()),
            main,
            data: (id("manuscript.json")?, Bytes::new(data)),
        })
    }
}

impl World for Press {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }
    fn book(&self) -> &LazyHash<FontBook> {
        &case().book
    }
    fn main(&self) -> FileId {
        self.main.id()
    }
    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main.id() { Ok(self.main.clone()) } else { Err(FileError::NotSource) }
    }
    fn file(&self, id: FileId) -> FileResult<Bytes> {
        if id == self.data.0 { Ok(self.data.1.clone()) } else { Err(FileError::AccessDenied) }
    }
    fn font(&self, index: usize) -> Option<Font> {
        case().fonts.get(index).cloned()
    }
    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}
