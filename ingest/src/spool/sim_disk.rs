//! A disk in memory which does at a power cut what a real one may do, for tests of the spool.
//!
//! What is not synced survives in any part: sector by sector (512 B or 4 KiB, old or new or zeros), length apart from
//! content, each name apart from the others and from the file it names. A failed sync leaves any part on the disk, keeps
//! the whole readable, and a sync after it finds nothing to do, as Linux has it. Two rules hold: a rename never loses the
//! file, and a sector is whole. All chance comes from seeds and names, so that threads cannot change an outcome.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard};

use super::disk::{Disk, DiskFile, DiskReader};
use super::sim_inode::{Chance, Inode};

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The power goes after so many operations; syncs, which may run side by side, count only where `syncs` says so.
    Power { after: u32, syncs: bool },
    /// The power goes while files are synced: one in three syncs is not done, and then nothing more.
    PowerInSync { seed: u64 },
    /// One in three syncs fails with EIO.
    SyncError { seed: u64 },
    /// Room for so many bytes is left.
    NoSpace { bytes: usize },
    /// After so many operations the disk is mounted read-only.
    ReadOnly { after: u32 },
}

/// A name that was given or taken, and is not durable.
#[derive(Clone)]
struct NameChange {
    name: String,
    to: Option<u64>,
    /// The change without which this one cannot be: a rename takes the old name only with the new one given.
    only_with: Option<u64>,
    number: u64,
}

#[derive(Clone, Default)]
struct World {
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    changes: Vec<NameChange>,
    last_number: u64,
    fault: Option<Fault>,
    operations: u32,
    dying: bool,
    off: bool,
}

/// The disk; clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct SimDisk(Arc<Mutex<World>>);

struct SimFile {
    disk: SimDisk,
    inode: u64,
}

fn folder_of(name: &str) -> &str {
    name.split_once('/').map_or("", |(folder, _)| folder)
}

fn not_found(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("no {name}"))
}

impl World {
    fn power_off(&self) -> io::Error {
        io::Error::other("the power is off")
    }

    /// Each operation but a sync passes here first.
    fn step(&mut self, writes: bool) -> io::Result<()> {
        self.off |= self.dying;
        self.operations += 1;
        match self.fault {
            Some(Fault::Power { after, .. }) if self.operations > after => self.off = true,
            Some(Fault::ReadOnly { after }) if self.operations > after && writes => {
                return Err(io::Error::from(io::ErrorKind::ReadOnlyFilesystem));
            }
            _ => {}
        }
        if self.off { Err(self.power_off()) } else { Ok(()) }
    }

    /// Whether a sync is to be done, by what is synced: syncs run side by side.
    fn step_sync(&mut self, salt: u64) -> io::Result<()> {
        match self.fault {
            Some(Fault::Power { syncs: true, .. }) => self.step(false)?,
            Some(Fault::PowerInSync { seed }) if Chance::new(seed, salt).below(3) == 0 => {
                self.dying = true;
                return Err(self.power_off());
            }
            Some(Fault::SyncError { seed }) if Chance::new(seed, salt).below(3) == 0 => {
                return Err(io::Error::from_raw_os_error(5));
            }
            _ => {}
        }
        if self.off { Err(self.power_off()) } else { Ok(()) }
    }

    fn sync(&mut self, inode: u64) -> io::Result<()> {
        let file = self.inodes.get_mut(&inode).expect("inodes are never removed");
        file.syncs += 1;
        let salt = inode << 32 | file.syncs;
        let outcome = self.step_sync(salt);
        let file = self.inodes.get_mut(&inode).expect("inodes are never removed");
        match &outcome {
            Ok(()) => file.sync(),
            Err(error) if error.raw_os_error().is_some() => {
                file.sync_failed(&mut Chance::new(salt, 7));
            }
            Err(_) => {}
        }
        outcome
    }

    fn change(&mut self, name: &str, to: Option<u64>, only_with: Option<u64>) -> u64 {
        match to {
            Some(inode) => drop(self.names.insert(name.to_owned(), inode)),
            None => drop(self.names.remove(name)),
        }
        self.last_number += 1;
        self.changes.push(NameChange { name: name.to_owned(), to, only_with, number: self.last_number });
        self.last_number
    }

    fn sync_names(&mut self, folder: &str) {
        let numbers: BTreeSet<u64> =
            self.changes.iter().filter(|c| folder_of(&c.name) == folder).map(|c| c.number).collect();
        let needed: BTreeSet<u64> =
            self.changes.iter().filter(|c| numbers.contains(&c.number)).filter_map(|c| c.only_with).collect();
        let done = |change: &NameChange| numbers.contains(&change.number) || needed.contains(&change.number);
        let (done, left) = std::mem::take(&mut self.changes).into_iter().partition(done);
        self.changes = left;
        let done: Vec<NameChange> = done;
        for change in done {
            match change.to {
                Some(inode) => drop(self.durable_names.insert(change.name, inode)),
                None => drop(self.durable_names.remove(&change.name)),
            }
        }
    }

    /// The names that a power cut leaves: each as it is durable, or as any change since made it.
    fn surviving_names(&self, seed: u64) -> BTreeMap<String, u64> {
        let mut names = self.durable_names.clone();
        let mut chosen: BTreeMap<&str, u64> = BTreeMap::new();
        let mut chance = Chance::new(seed, 1);
        let mode = chance.below(4);
        let changed: BTreeSet<&str> = self.changes.iter().map(|change| change.name.as_str()).collect();
        for name in changed {
            let numbers: Vec<u64> = self.changes.iter().filter(|c| c.name == name).map(|c| c.number).collect();
            let pick = match mode {
                0 => 0,
                1 => numbers.len(),
                _ => chance.below(numbers.len() + 1),
            };
            chosen.insert(name, if pick == 0 { 0 } else { numbers[pick - 1] });
        }
        for change in &self.changes {
            let given = change.only_with.is_none_or(|needed| {
                let target = self.changes.iter().find(|other| other.number == needed);
                target.is_none_or(|target| chosen[target.name.as_str()] >= needed)
            });
            if chosen[change.name.as_str()] < change.number || !given {
                continue;
            }
            match change.to {
                Some(inode) => drop(names.insert(change.name.clone(), inode)),
                None => drop(names.remove(&change.name)),
            }
        }
        names
    }
}

impl SimDisk {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("no test panics while it holds the disk")
    }

    /// From now on this goes wrong.
    pub(super) fn arm(&self, fault: Option<Fault>) {
        let mut world = self.world();
        world.fault = fault;
        world.operations = 0;
    }

    /// Operations since [`SimDisk::arm`].
    pub(super) fn operations(&self) -> u32 {
        self.world().operations
    }

    /// The process is gone, the machine is not: everything written is readable.
    pub(crate) fn restart(&self) {
        let mut world = self.world();
        (world.fault, world.off, world.dying) = (None, false, false);
    }

    /// The power goes and comes back.
    pub(crate) fn power_cut(&self, seed: u64) {
        let mut world = self.world();
        let names = world.surviving_names(seed);
        let mut inodes = BTreeMap::new();
        for (number, inode) in (1..).zip(names.values()) {
            let bytes = world.inodes[inode].survivor(&mut Chance::new(seed, number + 10));
            inodes.insert(number, Inode::durable(bytes));
        }
        let names: BTreeMap<String, u64> = names.into_keys().zip(1..).collect();
        *world = World { inodes, durable_names: names.clone(), names, ..World::default() };
    }

    /// All files.
    pub(super) fn names(&self) -> Vec<String> {
        self.world().names.keys().cloned().collect()
    }

    /// What a file holds.
    pub(crate) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let world = self.world();
        world.names.get(name).map(|inode| world.inodes[inode].cache.clone())
    }

    /// Changes a file behind the spool's back.
    pub(super) fn damage(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut world = self.world();
        let inode = world.names[name];
        let file = world.inodes.get_mut(&inode).expect("inodes are never removed");
        change(&mut file.cache);
        file.disk.clone_from(&file.cache);
    }

    /// A disk of its own in the same condition, with nothing going wrong.
    pub(crate) fn fork(&self) -> SimDisk {
        let world = World { fault: None, operations: 0, dying: false, off: false, ..self.world().clone() };
        SimDisk(Arc::new(Mutex::new(world)))
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.disk.world();
        let outcome = world.step(true);
        let mut part = bytes;
        if outcome.is_err() {
            // What was being written may be there in part.
            part = &bytes[..if world.off { bytes.len() / 2 } else { 0 }];
        } else if let Some(Fault::NoSpace { bytes: room }) = &mut world.fault {
            part = &bytes[..bytes.len().min(*room)];
            *room -= part.len();
        }
        world.inodes.get_mut(&self.inode).expect("inodes are never removed").append(part);
        match outcome {
            Ok(()) if part.len() < bytes.len() => Err(io::Error::from(io::ErrorKind::StorageFull)),
            outcome => outcome,
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.world().sync(self.inode)
    }
}

impl DiskReader for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut world = self.disk.world();
        world.step(false)?;
        let start = usize::try_from(offset).expect("small");
        let there = world.inodes[&self.inode].cache.get(start..start + buffer.len());
        buffer.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.world().inodes[&self.inode].cache.len() as u64)
    }
}

impl Disk for SimDisk {
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        world.step(true)?;
        if world.names.contains_key(name) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists));
        }
        let inode = world.inodes.keys().next_back().map_or(1, |last| last + 1);
        world.inodes.insert(inode, Inode::default());
        world.change(name, Some(inode), None);
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn settle(&self, name: &str, from: u64, length: u64) -> io::Result<()> {
        let mut world = self.world();
        world.step(true)?;
        let inode = *world.names.get(name).ok_or_else(|| not_found(name))?;
        let (from, length) = (usize::try_from(from).expect("small"), usize::try_from(length).expect("small"));
        let file = world.inodes.get_mut(&inode).expect("inodes are never removed");
        if file.cache.len() < length {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        file.truncate(length);
        file.touch(from, length);
        world.step(false)?;
        world.sync(inode)
    }

    fn overwrite(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world();
        world.step(true)?;
        let inode = *world.names.get(name).ok_or_else(|| not_found(name))?;
        let file = world.inodes.get_mut(&inode).expect("inodes are never removed");
        file.cache[..bytes.len()].copy_from_slice(bytes);
        file.touch(0, bytes.len());
        Ok(())
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        self.world().step(false)?;
        Ok(Box::new(io::Cursor::new(self.bytes(name).ok_or_else(|| not_found(name))?)))
    }

    fn open_reader(&self, name: &str) -> io::Result<Box<dyn DiskReader>> {
        let mut world = self.world();
        world.step(false)?;
        let inode = *world.names.get(name).ok_or_else(|| not_found(name))?;
        Ok(Box::new(SimFile { disk: self.clone(), inode }))
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut world = self.world();
        world.step(false)?;
        let within = world.names.keys().filter(|name| folder_of(name) == folder);
        Ok(within.map(|name| name.rsplit('/').next().unwrap_or_default().to_owned()).collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        world.step(true)?;
        let inode = *world.names.get(from).ok_or_else(|| not_found(from))?;
        let given = world.change(to, Some(inode), None);
        world.change(from, None, Some(given));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        world.step(true)?;
        if world.names.contains_key(name) {
            world.change(name, None, None);
        }
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut world = self.world();
        let salt = folder.bytes().fold(world.changes.len() as u64, |sum, byte| sum * 31 + u64::from(byte));
        world.step_sync(salt)?;
        world.sync_names(folder);
        Ok(())
    }
}
