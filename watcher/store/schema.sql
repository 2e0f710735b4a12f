-- The ledger. Times are seconds since 1970. Version 1.

CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- One watched folder and how far it has been read. See inbox/catchup.py for what the UIDs mean.
CREATE TABLE folder (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,  -- counts links; a commit of an older one is refused
    epoch INTEGER NOT NULL DEFAULT 0,       -- counts the lives of the folder; UIDs mean something within one only
    uidvalidity INTEGER NOT NULL DEFAULT 0, -- of this epoch; 0 if the server gives none
    floor_uid INTEGER NOT NULL DEFAULT 1,   -- below: before the start point, never looked at
    reset_uid INTEGER NOT NULL DEFAULT 1,   -- below: may be a mail of an earlier epoch
    low_uid INTEGER NOT NULL DEFAULT 1,     -- below: every UID is handled or proven absent
    next_uid INTEGER NOT NULL DEFAULT 1,    -- from here on nothing has been handled
    started_at REAL,
    resets INTEGER NOT NULL DEFAULT 0,      -- new epochs in a row
    UNIQUE (account, name)
);

-- One mail, wherever it lies.
CREATE TABLE mail (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,               -- its spool folder
    folder INTEGER NOT NULL REFERENCES folder,
    epoch INTEGER NOT NULL,                 -- with uid: where it was received, or where it lies since
    uid INTEGER NOT NULL,
    account TEXT NOT NULL,
    content TEXT NOT NULL,                  -- identity that survives moves and a new UIDVALIDITY
    body TEXT NOT NULL,                     -- identity that survives a second delivery
    digest TEXT NOT NULL,
    message_id TEXT NOT NULL,
    received REAL NOT NULL,                 -- INTERNALDATE
    size INTEGER NOT NULL,
    stored_at REAL NOT NULL,
    settled_at REAL,                        -- when its last piece of work ended
    dead INTEGER NOT NULL DEFAULT 0,        -- settled with a dead letter
    spooled INTEGER NOT NULL DEFAULT 1,     -- its folder is still there
    unpacked_boot TEXT,                     -- kernel boot id when it was taken apart; only the raw mail is synced
    UNIQUE (account, content)
);
CREATE INDEX mail_body ON mail (account, body);
CREATE INDEX mail_folder ON mail (folder, received);
CREATE INDEX mail_settled ON mail (settled_at) WHERE spooled = 1 AND settled_at IS NOT NULL;

-- Every UID ever looked at. Without a mail: not taken in, for the reason in the note.
CREATE TABLE place (
    folder INTEGER NOT NULL REFERENCES folder,
    epoch INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    mail INTEGER REFERENCES mail,
    note TEXT NOT NULL DEFAULT '',
    tries INTEGER NOT NULL DEFAULT 0,       -- fetches that brought nothing
    due REAL,                               -- when to fetch it again; NULL: settled
    PRIMARY KEY (folder, epoch, uid)
) WITHOUT ROWID;
CREATE INDEX place_due ON place (folder, epoch, due) WHERE due IS NOT NULL;

-- Every piece of work; its life is MOVES in model.py.
CREATE TABLE work (
    id INTEGER PRIMARY KEY,
    mail INTEGER NOT NULL REFERENCES mail,
    kind TEXT NOT NULL,
    chain TEXT NOT NULL DEFAULT '',         -- steps of one chain start in order
    step INTEGER NOT NULL DEFAULT 0,
    name TEXT NOT NULL DEFAULT '',
    lane TEXT NOT NULL DEFAULT '',          -- what is limited and held as one: the handler, the account
    line TEXT,                              -- work of one name in one line: one at a time, by age; NULL: beside all
    late INTEGER NOT NULL DEFAULT 0,        -- the mail was old already: after all of its lane that is fresh
    target TEXT NOT NULL DEFAULT '',
    status TEXT NOT NULL DEFAULT 'waiting',
    due REAL,                               -- NULL while waiting: its turn has not come
    attempts INTEGER NOT NULL DEFAULT 0,
    pardoned INTEGER NOT NULL DEFAULT 0,    -- attempts that do not count
    crashes INTEGER NOT NULL DEFAULT 0,
    first_at REAL,
    boot TEXT,                              -- the run of the daemon that claimed it
    changed_at REAL NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    output TEXT NOT NULL DEFAULT '',
    UNIQUE (mail, kind, chain, name, target)
);
CREATE INDEX work_due ON work (kind, lane, late, due) WHERE status = 'waiting' AND due IS NOT NULL;
CREATE INDEX work_unpack ON work (mail) WHERE kind = 'unpack' AND status IN ('waiting', 'running');
-- Who stands in line, and that no two of one line ever have their turn.
CREATE INDEX work_line ON work (name, line, mail) WHERE line IS NOT NULL AND status IN ('waiting', 'running');
CREATE INDEX work_behind ON work (mail) WHERE line IS NOT NULL AND status = 'waiting' AND due IS NULL;
CREATE UNIQUE INDEX work_turn ON work (name, line) WHERE line IS NOT NULL AND status IN ('waiting', 'running')
    AND ifnull(due, boot) IS NOT NULL;
CREATE INDEX work_running ON work (boot) WHERE status = 'running';
CREATE INDEX work_dead ON work (changed_at) WHERE status = 'dead';

-- Every move of every piece of work, for people.
CREATE TABLE history (
    work INTEGER NOT NULL REFERENCES work ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL,
    at REAL NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX history_work ON history (work);

-- What was learnt about the silence that the way to a host allows; see renewal.py.
CREATE TABLE path (
    name TEXT PRIMARY KEY,
    interval REAL NOT NULL,
    deaths TEXT NOT NULL,                   -- seconds, with blanks between
    since REAL NOT NULL
) WITHOUT ROWID;

-- One mail of ours on its way out. It is a mail like any other, in a folder of its relay that no server has; each of
-- its recipients is a piece of work.
CREATE TABLE letter (
    mail INTEGER PRIMARY KEY REFERENCES mail,
    author TEXT NOT NULL,                   -- the handler that asked for it, or what else did
    sender TEXT NOT NULL,                   -- of the envelope
    about INTEGER REFERENCES mail,          -- the mail that it came of; of one to ourselves, as which it came in
    answers TEXT NOT NULL,                  -- whom it answers by itself; '' if nobody, or if it was not let go
    posted_at REAL NOT NULL,
    taken INTEGER NOT NULL DEFAULT 0,       -- recipients for whom the relay has taken it
    taken_at REAL,                          -- the last of them
    doubts INTEGER NOT NULL DEFAULT 0       -- times that nobody knows whether it was taken
);
CREATE INDEX letter_answers ON letter (posted_at) WHERE answers <> '';
CREATE INDEX letter_taken ON letter (taken_at) WHERE taken_at IS NOT NULL;
