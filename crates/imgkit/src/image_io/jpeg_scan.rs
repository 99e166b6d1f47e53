//! Check that the scans of a JPEG file are whole: decoders fill what is missing with gray and say nothing.
//!
//! The entropy-coded data is walked without computing pixels (ITU T.81, annexes F and G): every block of every scan
//! must be there, and nothing may be left over, as in a file whose tail was filled with zeros. A missing end marker is
//! no damage. What is not understood (arithmetic coding, lossless, heights given late) is left to the decoder.

/// Bytes that may lie between a scan's last block and the next marker: some cameras pad.
const SLACK: usize = 64;

/// Checks a JPEG file and tells whether it has its end marker; `Err` says what is missing.
pub(super) fn check(bytes: &[u8]) -> Result<bool, String> {
    Walk::new(bytes).file().or_else(|stop| match stop {
        Stop::Damage(what) => Err(what),
        Stop::NotUnderstood => Ok(true),
    })
}

enum Stop {
    Damage(String),
    NotUnderstood,
}

fn damage<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Damage(what.into()))
}

/// Lookup of codes of up to this many bits in one step.
const FAST: u32 = 9;

struct Huffman {
    /// Length and symbol by the next [`FAST`] bits; length 0 for longer codes.
    fast: Vec<(u8, u8)>,
    /// By length: one more than the last code of it, the first code and its place among the symbols.
    last: [u32; 17],
    first: [(u32, usize); 17],
    symbols: Vec<u8>,
}

impl Huffman {
    fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut table =
            Self { fast: vec![(0, 0); 1 << FAST], last: [0; 17], first: [(0, 0); 17], symbols: symbols.to_vec() };
        let (mut code, mut place) = (0_u32, 0_usize);
        for (length, &count) in (1..=16_u32).zip(counts) {
            table.first[length as usize] = (code, place);
            for _ in 0..count {
                let symbol = *symbols.get(place)?;
                if length <= FAST {
                    let from = (code << (FAST - length)) as usize;
                    table.fast.get_mut(from..from + (1 << (FAST - length)))?.fill((length as u8, symbol));
                }
                code += 1;
                place += 1;
            }
            if code > 1 << length {
                return None;
            }
            table.last[length as usize] = code;
            code <<= 1;
        }
        Some(table)
    }
}

struct Component {
    id: u8,
    across: usize,
    down: usize,
    /// Size in blocks where the component stands alone in a scan.
    blocks: (usize, usize),
    /// Blocks in a row with the padding of interleaved scans.
    stride: usize,
    /// Progressive: which coefficients of a block are not zero so far.
    nonzero: Vec<u64>,
    /// Progressive: coefficients whose last bit was sent. Sequential: all of them, once scanned.
    complete: u64,
}

struct Scan {
    /// Number of the component, and its tables.
    parts: Vec<(usize, usize, usize)>,
    /// First and last coefficient.
    band: (u32, u32),
    /// Whether it refines what an earlier scan sent.
    refines: bool,
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    bits: u64,
    count: u32,
    size: (usize, usize),
    progressive: bool,
    components: Vec<Component>,
    tables: [[Option<Huffman>; 4]; 2],
    restart: usize,
    end_of_band: u32,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 2,
            bits: 0,
            count: 0,
            size: (0, 0),
            progressive: false,
            components: Vec::new(),
            tables: Default::default(),
            restart: 0,
            end_of_band: 0,
        }
    }

    fn file(&mut self) -> Result<bool, Stop> {
        let mut ended = false;
        while let Some(marker) = self.marker() {
            match marker {
                0xd9 => {
                    ended = true;
                    break;
                }
                0x01 | 0xd0..=0xd8 => {}
                0xc0..=0xc2 => self.frame(marker == 0xc2)?,
                0xc4 => self.huffman_tables()?,
                0xc3 | 0xc5..=0xcf | 0xdc => return Err(Stop::NotUnderstood),
                0xdd => {
                    let body = self.segment()?;
                    self.restart = be16(body, 0)?;
                }
                0xda => {
                    let scan = self.scan_header()?;
                    self.scan(&scan)?;
                }
                _ => drop(self.segment()?),
            }
        }
        if self.components.is_empty() {
            return Err(Stop::NotUnderstood); // no image, which the decoder says better
        }
        // A file that ends between two scans lacks those that follow; with its end marker it was made so.
        let lacks =
            |c: &Component| if ended && self.progressive { c.complete & 1 == 0 } else { c.complete != u64::MAX };
        if self.components.iter().any(lacks) { damage("the file ends before its last scan") } else { Ok(ended) }
    }

    /// The next marker, past fill bytes and stray data; `None` at the end of the file.
    fn marker(&mut self) -> Option<u8> {
        loop {
            let from = self.bytes.get(self.at..)?;
            self.at += from.iter().position(|&b| b == 0xff)? + 1;
            while self.bytes.get(self.at) == Some(&0xff) {
                self.at += 1;
            }
            let code = *self.bytes.get(self.at)?;
            self.at += 1;
            if code != 0 {
                return Some(code);
            }
        }
    }

    fn segment(&mut self) -> Result<&'a [u8], Stop> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = be16(rest, 0)?;
        let Some(body) = rest.get(2..length) else { return damage("the file ends in a header") };
        self.at += length;
        Ok(body)
    }

    fn frame(&mut self, progressive: bool) -> Result<(), Stop> {
        let body = self.segment()?;
        let (height, width) = (be16(body, 1)?, be16(body, 3)?);
        let parts: Vec<&[u8]> = body.get(6..).unwrap_or_default().chunks_exact(3).collect();
        let sampling = |part: &[u8]| (usize::from(part[1] >> 4), usize::from(part[1] & 15));
        let odd = |part: &&[u8]| !(1..=4).contains(&sampling(part).0) || !(1..=4).contains(&sampling(part).1);
        let known = body.first() == Some(&8) && self.components.is_empty() && parts.len() <= 4;
        if !known || height == 0 || width == 0 || parts.is_empty() || parts.iter().any(odd) {
            return Err(Stop::NotUnderstood);
        }
        let most = |f: fn((usize, usize)) -> usize| parts.iter().map(|p| f(sampling(p))).max().unwrap_or(1);
        let (wide, tall) = (most(|s| s.0), most(|s| s.1));
        self.progressive = progressive;
        self.size = (height.div_ceil(8 * tall), width.div_ceil(8 * wide));
        for part in parts {
            let (across, down) = sampling(part);
            let blocks = ((height * down).div_ceil(8 * tall), (width * across).div_ceil(8 * wide));
            let stride = self.size.1 * across;
            let nonzero = if progressive { vec![0; stride * self.size.0 * down] } else { Vec::new() };
            self.components.push(Component { id: part[0], across, down, blocks, stride, nonzero, complete: 0 });
        }
        Ok(())
    }

    fn huffman_tables(&mut self) -> Result<(), Stop> {
        let mut body = self.segment()?;
        while let Some((&kind, rest)) = body.split_first() {
            let (Some(counts), class, slot) = (rest.get(..16), usize::from(kind >> 4), usize::from(kind & 15)) else {
                return damage("a Huffman table is cut");
            };
            let total: usize = counts.iter().map(|&n| usize::from(n)).sum();
            let table = rest.get(16..16 + total).and_then(|symbols| Huffman::new(counts, symbols));
            match (self.tables.get_mut(class).and_then(|of| of.get_mut(slot)), table) {
                (Some(place), Some(table)) => *place = Some(table),
                _ => return damage("a Huffman table is damaged"),
            }
            body = rest.get(16 + total..).unwrap_or_default();
        }
        Ok(())
    }

    fn scan_header(&mut self) -> Result<Scan, Stop> {
        let body = self.segment()?;
        let count = usize::from(body.first().copied().unwrap_or(0));
        let mut parts = Vec::new();
        for entry in body.get(1..1 + 2 * count).unwrap_or_default().chunks_exact(2) {
            let Some(number) = self.components.iter().position(|c| c.id == entry[0]) else {
                return damage("a scan's header is damaged");
            };
            parts.push((number, usize::from(entry[1] >> 4), usize::from(entry[1] & 15)));
        }
        let &[from, to, approximation] = body.get(1 + 2 * count..).unwrap_or_default() else {
            return damage("a scan's header is damaged");
        };
        let band = if self.progressive { (u32::from(from), u32::from(to)) } else { (0, 63) };
        if parts.is_empty() || band.0 > band.1 || band.1 > 63 || (self.progressive && band.0 > 0 && parts.len() > 1) {
            return damage("a scan's header is damaged");
        }
        let (refines, last_bit) = (approximation >> 4 != 0, approximation & 15 == 0);
        for &(number, ..) in &parts {
            if last_bit || !self.progressive {
                self.components[number].complete |= (u64::MAX >> (63 - (band.1 - band.0))) << band.0;
            }
        }
        Ok(Scan { parts, band, refines: refines && self.progressive })
    }

    fn scan(&mut self, scan: &Scan) -> Result<(), Stop> {
        (self.bits, self.count, self.end_of_band) = (0, 0, 0);
        let alone = scan.parts.len() == 1;
        let (rows, columns) = if alone { self.components[scan.parts[0].0].blocks } else { self.size };
        for unit in 0..rows * columns {
            if self.restart > 0 && unit > 0 && unit % self.restart == 0 {
                self.next_interval()?;
            }
            let (row, column) = (unit / columns, unit % columns);
            for &(number, dc, ac) in &scan.parts {
                let Component { across, down, stride, .. } = self.components[number];
                let (across, down) = if alone { (1, 1) } else { (across, down) };
                for (v, h) in (0..down).flat_map(|v| (0..across).map(move |h| (v, h))) {
                    let block = (row * down + v) * stride + column * across + h;
                    self.block(scan, number, block, (dc, ac))?;
                }
            }
        }
        self.finish()
    }

    fn block(&mut self, scan: &Scan, number: usize, block: usize, (dc, ac): (usize, usize)) -> Result<(), Stop> {
        match (self.progressive, scan.band.0, scan.refines) {
            (false, ..) => {
                let size = self.symbol(0, dc)?;
                self.skip(u32::from(size))?;
                let mut k = 1;
                while k < 64 {
                    let (run, size) = run_and_size(self.symbol(1, ac)?);
                    if size == 0 && run < 15 {
                        break;
                    }
                    self.skip(size)?;
                    k += run + 1;
                }
                Ok(())
            }
            (true, 0, false) => {
                let size = self.symbol(0, dc)?;
                self.skip(u32::from(size))
            }
            (true, 0, true) => self.skip(1),
            (true, _, refines) => {
                let mut nonzero = self.components[number].nonzero.get(block).copied().unwrap_or(0);
                if refines {
                    self.refine(scan.band, &mut nonzero, ac)
                } else {
                    self.band(scan.band, &mut nonzero, ac)
                }?;
                if let Some(place) = self.components[number].nonzero.get_mut(block) {
                    *place = nonzero;
                }
                Ok(())
            }
        }
    }

    /// First bits of a band of coefficients.
    fn band(&mut self, (from, to): (u32, u32), nonzero: &mut u64, ac: usize) -> Result<(), Stop> {
        if self.end_of_band > 0 {
            self.end_of_band -= 1;
            return Ok(());
        }
        let mut k = from;
        while k <= to {
            let (run, size) = run_and_size(self.symbol(1, ac)?);
            if size == 0 && run < 15 {
                self.end_of_band = (1 << run) - 1 + self.take(run)?;
                break;
            }
            k += run;
            if size > 0 {
                if k > 63 {
                    return damage("a run of coefficients leaves its block");
                }
                *nonzero |= 1 << k;
                self.skip(size)?;
            }
            k += 1;
        }
        Ok(())
    }

    /// A further bit of a band of coefficients.
    fn refine(&mut self, (from, to): (u32, u32), nonzero: &mut u64, ac: usize) -> Result<(), Stop> {
        let mut k = from;
        while self.end_of_band == 0 && k <= to {
            let (mut run, size) = run_and_size(self.symbol(1, ac)?);
            if size == 0 && run < 15 {
                self.end_of_band = (1 << run) + self.take(run)?;
                break;
            }
            self.skip(u32::from(size > 0))?; // the sign
            while k <= to {
                if *nonzero >> k & 1 == 1 {
                    self.skip(1)?;
                } else if run == 0 {
                    break;
                } else {
                    run -= 1;
                }
                k += 1;
            }
            if size > 0 && k <= to {
                *nonzero |= 1 << k;
            }
            k += 1;
        }
        if self.end_of_band > 0 {
            let left = if k > to { 0 } else { (*nonzero >> k << k) & (u64::MAX >> (63 - to)) };
            for _ in 0..left.count_ones() {
                self.skip(1)?;
            }
            self.end_of_band -= 1;
        }
        Ok(())
    }

    /// Fills the register with what is there, up to the next marker.
    fn fill(&mut self) {
        while self.count <= 48 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xff {
                if self.bytes.get(self.at + 1) != Some(&0) {
                    return;
                }
                self.at += 1;
            }
            self.at += 1;
            self.bits = self.bits << 8 | u64::from(byte);
            self.count += 8;
        }
    }

    fn peek(&mut self, length: u32) -> u32 {
        if self.count < length {
            self.fill();
        }
        let padded =
            if self.count < length { self.bits << (length - self.count) } else { self.bits >> (self.count - length) };
        (padded & ((1 << length) - 1)) as u32
    }

    fn skip(&mut self, length: u32) -> Result<(), Stop> {
        if self.count < length {
            self.fill();
        }
        if self.count < length {
            return damage("the file ends within a scan");
        }
        self.count -= length;
        Ok(())
    }

    fn take(&mut self, length: u32) -> Result<u32, Stop> {
        let bits = self.peek(length);
        self.skip(length).map(|()| bits)
    }

    fn symbol(&mut self, class: usize, slot: usize) -> Result<u8, Stop> {
        let code = self.peek(16);
        let Some(Some(table)) = self.tables[class].get(slot) else {
            // Some video cameras leave out the customary tables, and then all of them.
            let none = self.tables.iter().flatten().all(Option::is_none);
            return if none { Err(Stop::NotUnderstood) } else { damage("a scan lacks its Huffman table") };
        };
        let (length, symbol) = table.fast[(code >> (16 - FAST)) as usize];
        if length > 0 {
            return self.skip(length.into()).map(|()| symbol);
        }
        let long = (FAST + 1..=16).find(|&length| code >> (16 - length) < table.last[length as usize]);
        let Some(length) = long else {
            return damage(if self.count < 16 {
                "the file ends within a scan"
            } else {
                "a scan holds an unknown code"
            });
        };
        let (first, place) = table.first[length as usize];
        let symbol =
            (code >> (16 - length)).checked_sub(first).and_then(|k| table.symbols.get(place + k as usize)).copied();
        let Some(symbol) = symbol else { return damage("a scan holds an unknown code") };
        self.skip(length).map(|()| symbol)
    }

    /// Ends an interval at its restart marker.
    fn next_interval(&mut self) -> Result<(), Stop> {
        self.finish()?;
        match self.marker() {
            Some(0xd0..=0xd7) => {
                self.end_of_band = 0;
                Ok(())
            }
            _ => damage("a scan lacks a restart marker"),
        }
    }

    /// Checks that the data of a scan or an interval is used up.
    fn finish(&mut self) -> Result<(), Stop> {
        let mut spare = self.count as usize / 8;
        (self.bits, self.count) = (0, 0);
        loop {
            match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
                // Zeros may happen to be the codes of just the blocks that are missing.
                (None, _) if spare > 0 || self.bytes.ends_with(&[0, 0]) => {
                    return damage("its tail is no part of the picture");
                }
                (None, _) => return Ok(()),
                (Some(0xff), next) if next != Some(&0) => break,
                _ => spare += 1,
            }
            self.at += 1;
        }
        if spare > SLACK { damage("a scan holds more than the picture") } else { Ok(()) }
    }
}

fn run_and_size(symbol: u8) -> (u32, u32) {
    (u32::from(symbol >> 4), u32::from(symbol & 15))
}

fn be16(bytes: &[u8], at: usize) -> Result<usize, Stop> {
    match bytes.get(at..at + 2) {
        Some(pair) => Ok(usize::from(pair[0]) << 8 | usize::from(pair[1])),
        None => damage("the file ends in a header"),
    }
}
