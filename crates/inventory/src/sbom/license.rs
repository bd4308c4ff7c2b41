//! License expressions of SPDX, as far as they are recognised.

/// The identifiers that packages use most (SPDX License List 3.25). A license that is not among them
/// is given by its name, which documents allow.
const IDENTIFIERS: &[&str] = &[
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-1.0",
    "Artistic-1.0-Perl",
    "Artistic-2.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-4-Clause",
    "BSD-4-Clause-UC",
    "BSL-1.0",
    "BlueOak-1.0.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "CPL-1.0",
    "ECL-2.0",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.1",
    "EUPL-1.2",
    "FSFAP",
    "FSFUL",
    "FSFULLR",
    "FTL",
    "GFDL-1.2-or-later",
    "GFDL-1.3-only",
    "GFDL-1.3-or-later",
    "GPL-1.0-only",
    "GPL-1.0-or-later",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "HPND",
    "ICU",
    "IJG",
    "ISC",
    "ImageMagick",
    "LGPL-2.0-only",
    "LGPL-2.0-or-later",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "LPPL-1.3c",
    "Libpng",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-1.0",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "MS-RL",
    "MulanPSL-2.0",
    "NCSA",
    "NTP",
    "OFL-1.1",
    "OLDAP-2.8",
    "OpenSSL",
    "PHP-3.01",
    "PSF-2.0",
    "PostgreSQL",
    "Python-2.0",
    "QPL-1.0",
    "Ruby",
    "SGI-B-2.0",
    "SISSL",
    "SMLNJ",
    "SSPL-1.0",
    "Sleepycat",
    "TCL",
    "UPL-1.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Vim",
    "W3C",
    "WTFPL",
    "X11",
    "ZPL-2.1",
    "Zlib",
    "bzip2-1.0.6",
    "curl",
    "libpng-2.0",
    "libtiff",
    "zlib-acknowledgement",
];
const EXCEPTIONS: &[&str] = &[
    "Autoconf-exception-3.0",
    "Bison-exception-2.2",
    "Classpath-exception-2.0",
    "GCC-exception-2.0",
    "GCC-exception-3.1",
    "LLVM-exception",
    "Libtool-exception",
    "Linux-syscall-note",
    "OCaml-LGPL-linking-exception",
    "OpenSSL-exception",
    "openvpn-openssl-exception",
];

/// The identifier in its own spelling.
pub(super) fn identifier(text: &str) -> Option<&'static str> {
    find(IDENTIFIERS, text)
}

fn find(list: &'static [&'static str], text: &str) -> Option<&'static str> {
    list.iter().copied().find(|known| known.eq_ignore_ascii_case(text))
}

/// The expression in its canonical spelling, if all of it is recognised.
pub(super) fn expression(text: &str) -> Option<String> {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut parts = Vec::new();
    let (mut open, mut operand, mut exception) = (0_u32, true, false);
    for word in spaced.split_whitespace() {
        match word {
            "(" if operand && !exception => open += 1,
            ")" if !operand && open > 0 => open -= 1,
            "AND" | "OR" | "WITH" if !operand => {
                operand = true;
                exception = word == "WITH";
            }
            _ if operand && exception => {
                parts.push(find(EXCEPTIONS, word)?);
                (operand, exception) = (false, false);
                continue;
            }
            _ if operand => {
                parts.push(identifier(word)?);
                operand = false;
                continue;
            }
            _ => return None,
        }
        parts.push(match word {
            "(" => "(",
            ")" => ")",
            "AND" => "AND",
            "OR" => "OR",
            _ => "WITH",
        });
    }
    let whole = !parts.is_empty() && !operand && open == 0;
    whole.then(|| parts.join(" ").replace("( ", "(").replace(" )", ")"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_recognised_as_a_whole_or_not_at_all() {
        let check =
            |text, expected: Option<&str>| assert_eq!(expression(text).as_deref(), expected);
        check("mit", Some("MIT"));
        check("MIT AND (apache-2.0 OR GPL-2.0-only)", Some("MIT AND (Apache-2.0 OR GPL-2.0-only)"));
        check("Apache-2.0 WITH LLVM-exception", Some("Apache-2.0 WITH LLVM-exception"));
        for text in
            ["", "MIT AND", "MIT Apache-2.0", "(MIT", "MIT)", "GPL v2", "MIT WITH MIT", "()"]
        {
            check(text, None);
        }
    }
}
