//! How long it takes to match 10,000 images of 300 packages against 200,000 advisories:
//!
//! ```text
//! cargo run --release -p plura-advisories --example rematch
//! ```
//!
//! A package that several images have is matched once, so with `d` distinct packages, `a` advisories
//! about one of them and `v` bytes of a version it costs `d * (1 + a * v)`, then one look-up for each
//! package of each image. How many advisories there are about other packages plays no part.
#![expect(clippy::print_stdout, reason = "what it measures is what it is for")]

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use plura_advisories::{AdvisorySet, AdvisorySetBuilder, Band, Package};

const IMAGES: usize = 10_000;
const PACKAGES_OF_AN_IMAGE: usize = 300;
const ADVISORIES: usize = 200_000;
/// How many packages there are in each ecosystem, and how many versions of each are in use.
const NAMES: usize = 20_000;
const VERSIONS: usize = 12;

const ECOSYSTEMS: [(&str, &str); 8] = [
    ("Debian:12", "ECOSYSTEM"),
    ("Alpine:v3.19", "ECOSYSTEM"),
    ("Red Hat:enterprise_linux:9::baseos", "ECOSYSTEM"),
    ("npm", "SEMVER"),
    ("PyPI", "ECOSYSTEM"),
    ("Maven", "ECOSYSTEM"),
    ("Go", "SEMVER"),
    ("crates.io", "SEMVER"),
];

fn main() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (records, reading) = timed(|| records(&mut random));
    println!("{ADVISORIES} advisories made in {reading:.1?}");
    let (set, building) = timed(|| build(&records));
    println!("read and indexed in {building:.1?}: {:?}", set.counts());
    println!("about {} MiB, {}", set.size() >> 20, set.digest());

    let packages = packages();
    let images = images(&packages, &mut random);
    let (affected, elapsed) = timed(|| rematch(&set, &packages, &images));
    let references = IMAGES * PACKAGES_OF_AN_IMAGE;
    println!(
        "{IMAGES} images, {references} packages of which {} distinct, matched in {elapsed:.2?}",
        distinct(&images, packages.len()),
    );
    println!("{} findings in images, {} critical", affected.0, affected.1);
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begin = Instant::now();
    let result = work();
    (result, begin.elapsed())
}

fn build(records: &[String]) -> AdvisorySet {
    let mut builder = AdvisorySetBuilder::default();
    for record in records {
        if let Err(error) = builder.add_json(record.as_bytes()) {
            println!("{error}: {record}");
        }
    }
    builder.finish()
}

/// Matches each distinct package once, then adds up what each image has.
fn rematch(set: &AdvisorySet, packages: &[Package], images: &[Vec<u32>]) -> (usize, usize) {
    let mut matches: Vec<Option<Vec<Band>>> = vec![None; packages.len()];
    let mut sums = (0, 0);
    for image in images {
        for number in image {
            let index = *number as usize;
            let bands = matches[index].get_or_insert_with(|| {
                let found = set.match_package(&packages[index]);
                found.iter().map(|found| found.severity.band).collect()
            });
            sums.0 += bands.len();
            sums.1 += bands.iter().filter(|band| **band == Band::Critical).count();
        }
    }
    sums
}

fn records(random: &mut Random) -> Vec<String> {
    let mut records = Vec::with_capacity(ADVISORIES);
    for number in 0..ADVISORIES {
        let (ecosystem, kind) = ECOSYSTEMS[random.below(ECOSYSTEMS.len())];
        let name = name(ecosystem, random.skewed(NAMES));
        let (from, fixed) = (random.below(VERSIONS), random.below(VERSIONS));
        let mut record = format!(
            r#"{{"schema_version":"1.7.0","id":"TEST-{number}","modified":"2026-01-01T00:00:00Z","#
        );
        let vector = ["N", "A", "P"][random.below(3)];
        let _ = write!(
            record,
            r#""aliases":["CVE-2099-{number}"],"summary":"something is wrong with {name}","severity":[{{"type":"CVSS_V3","score":"CVSS:3.1/AV:{vector}/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}}],"affected":[{{"package":{{"ecosystem":"{ecosystem}","name":"{name}"}},"ranges":[{{"type":"{kind}","events":[{{"introduced":"{}"}},{{"fixed":"{}"}}]}}]}}]}}"#,
            if from % 2 == 0 { "0".into() } else { version(ecosystem, from / 2) },
            version(ecosystem, fixed),
        );
        records.push(record);
    }
    records
}

fn packages() -> Vec<Package> {
    let mut packages = Vec::new();
    for (ecosystem, _) in ECOSYSTEMS {
        for number in 0..NAMES {
            for version_number in 0..VERSIONS {
                let name = name(ecosystem, number);
                packages.push(Package::new(ecosystem, &name, &version(ecosystem, version_number)));
            }
        }
    }
    packages
}

/// Each image is of one distribution and one language. Some packages are in most images.
fn images(packages: &[Package], random: &mut Random) -> Vec<Vec<u32>> {
    let mut images = Vec::with_capacity(IMAGES);
    for _ in 0..IMAGES {
        let system = random.below(3);
        let language = 3 + random.below(ECOSYSTEMS.len() - 3);
        let mut image = Vec::with_capacity(PACKAGES_OF_AN_IMAGE);
        for number in 0..PACKAGES_OF_AN_IMAGE {
            let ecosystem = if number % 3 == 0 { system } else { language };
            let place = random.skewed(NAMES) * VERSIONS + random.skewed(VERSIONS);
            let index = ecosystem * NAMES * VERSIONS + place;
            image.push(u32::try_from(index % packages.len()).unwrap_or_default());
        }
        images.push(image);
    }
    images
}

fn distinct(images: &[Vec<u32>], most: usize) -> usize {
    let mut seen = vec![false; most];
    for number in images.iter().flatten() {
        seen[*number as usize] = true;
    }
    seen.into_iter().filter(|seen| *seen).count()
}

fn name(ecosystem: &str, number: usize) -> String {
    match ecosystem {
        "Maven" => format!("org.example.group{}:artifact-{number}", number % 100),
        "Go" => format!("example.com/group{}/module{number}", number % 100),
        "npm" => format!("@scope{}/package-{number}", number % 100),
        _ => format!("package-{number}"),
    }
}

fn version(ecosystem: &str, number: usize) -> String {
    match ecosystem {
        "Debian:12" => format!("1:3.{number}.11+dfsg-1+deb12u{number}"),
        "Alpine:v3.19" => format!("3.{number}.1_git20230717-r{number}"),
        "Maven" => format!("3.{number}.0-jre"),
        "Go" => format!("v1.{number}.0"),
        "Red Hat:enterprise_linux:9::baseos" => format!("1:3.0.{number}-24.el9_{number}"),
        _ => format!("3.{number}.0"),
    }
}

/// xorshift64*: the same numbers each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap_or_default()
    }

    /// Small numbers more often than large ones.
    fn skewed(&mut self, end: usize) -> usize {
        let limit = self.below(end) + 1;
        let limit = self.below(limit) + 1;
        self.below(limit)
    }
}
