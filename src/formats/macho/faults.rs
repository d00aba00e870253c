//! What can be wrong with a relocation.

use super::relocations::{Decoder, Fields};
use crate::base::{Error, Place};
use object::macho;

impl Decoder<'_, '_> {
    fn at(&self, fields: Fields) -> Place {
        let section = self.object.section_display(self.index);
        self.object.file().in_section(section).at(u64::from(fields.offset))
    }

    #[cold]
    fn malformed(&self, fields: Fields, what: impl Into<String>) -> Box<Error> {
        Box::new(Error::malformed(self.at(fields), what))
    }

    #[cold]
    fn unsupported(&self, fields: Fields, what: impl Into<String>, help: &str) -> Box<Error> {
        Box::new(Error::unsupported(self.at(fields), what, help))
    }

    #[cold]
    pub(super) fn past_end(&self, fields: Fields) -> Box<Error> {
        if fields.offset & macho::R_SCATTERED != 0 {
            let fields = Fields { offset: fields.offset & !macho::R_SCATTERED, ..fields };
            let help = "only 32-bit objects have these: compile for x86_64 or arm64";
            return self.unsupported(fields, "a scattered relocation", help);
        }
        let name = self.type_name(fields);
        self.malformed(fields, format!("{name} relocation reaches past the end of its section"))
    }

    #[cold]
    pub(super) fn unknown_type(&self, fields: Fields) -> Box<Error> {
        let what = format!("unknown relocation type {}", fields.number());
        self.unsupported(fields, what, "its meaning for relocatable objects is in no document that is public")
    }

    #[cold]
    pub(super) fn bad_form(&self, fields: Fields) -> Box<Error> {
        let relative = if fields.pc_relative() { "pc-relative" } else { "not pc-relative" };
        let (name, size) = (self.type_name(fields), 1 << fields.length());
        self.malformed(fields, format!("{name} relocation of {size} bytes, {relative}, which has no meaning"))
    }

    #[cold]
    pub(super) fn no_symbol(&self, fields: Fields) -> Box<Error> {
        let (symbol, count) = (fields.symbol(), self.object.symbols.len());
        let what = if (symbol as usize) < count {
            format!("relocation refers to symbol {symbol}, which is a debugging entry")
        } else {
            format!("relocation refers to symbol {symbol}, past the {count} symbols")
        };
        self.malformed(fields, what)
    }

    #[cold]
    pub(super) fn no_section(&self, fields: Fields) -> Box<Error> {
        let (section, count) = (fields.symbol(), self.object.sections.len());
        self.malformed(fields, format!("relocation refers to section {section} of {count}"))
    }

    #[cold]
    pub(super) fn outside_of(&self, fields: Fields, section: u32, address: u64) -> Box<Error> {
        let (name, section) = (self.type_name(fields), self.object.section_display(section));
        self.malformed(fields, format!("{name} relocation refers to {address:#x}, which is not in {section}"))
    }

    #[cold]
    pub(super) fn needs_symbol(&self, fields: Fields) -> Box<Error> {
        self.malformed(fields, format!("{} relocation without a symbol", self.type_name(fields)))
    }

    #[cold]
    pub(super) fn unpaired(&self, fields: Fields) -> Box<Error> {
        let name = self.type_name(fields);
        self.malformed(fields, format!("{name} relocation without the one that must follow it"))
    }

    #[cold]
    pub(super) fn wrong_instruction(&self, fields: Fields, word: u32) -> Box<Error> {
        let name = self.type_name(fields);
        let what = format!(
            "{name} relocation of the instruction {word:#010x}, which has no such field, or one that is not zero"
        );
        self.malformed(fields, what)
    }

    #[cold]
    pub(super) fn signed_pointer(&self, fields: Fields) -> Box<Error> {
        let what = "a pointer that is to be signed (ARM64_RELOC_AUTHENTICATED_POINTER)";
        self.unsupported(fields, what, "compile with -arch arm64, without pointer authentication")
    }

    #[cold]
    pub(super) fn bad_difference(&self, fields: Fields, what: &str) -> Box<Error> {
        let help = "one of the two must be in the function or variable that holds the difference";
        self.unsupported(fields, format!("difference of {what}"), help)
    }

    fn type_name(&self, fields: Fields) -> String {
        let name = self.object.machine.relocation_names.get(fields.number() as usize);
        name.map_or_else(|| format!("type {}", fields.number()), |name| (*name).to_owned())
    }
}
