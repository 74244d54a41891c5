-- Counters of the writer; 'sequence' numbers rows in the order of insertion.
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('sequence', 1);

-- Names of workers, queues, containers … that rows refer to by number.
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);

-- Tasks and models. A company of NULL marks a task whose rows are being deleted.
CREATE TABLE tasks (id INTEGER PRIMARY KEY, company TEXT, task TEXT NOT NULL);
CREATE UNIQUE INDEX tasks_by_name ON tasks (company, task);

-- One type, metric and variant of a task. Scalars that have a key, or no iteration, are series of their own,
-- because both are part of an event's identity and the table of scalars has no room for them.
CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    task INTEGER NOT NULL,
    type INTEGER NOT NULL,
    metric TEXT NOT NULL,
    variant TEXT NOT NULL,
    key TEXT,
    iterless INTEGER NOT NULL
);
CREATE INDEX series_by_name ON series (task, type, metric, variant);

CREATE TABLE scalars (
    series INTEGER NOT NULL,
    iter INTEGER NOT NULL,
    value,
    timestamp INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    written INTEGER NOT NULL,
    worker INTEGER,
    model INTEGER NOT NULL,
    body BLOB,
    PRIMARY KEY (series, iter)
) WITHOUT ROWID;

CREATE TABLE logs (
    task INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    series INTEGER NOT NULL,
    iter INTEGER,
    written INTEGER NOT NULL,
    worker INTEGER,
    model INTEGER NOT NULL,
    body BLOB,
    PRIMARY KEY (task, timestamp, seq)
) WITHOUT ROWID;
-- Console logs have no iteration, so this is nearly empty.
CREATE INDEX logs_by_iter ON logs (series, iter, seq) WHERE iter IS NOT NULL;

-- Plots, debug images and vectors.
CREATE TABLE records (
    seq INTEGER PRIMARY KEY,
    series INTEGER NOT NULL,
    iter INTEGER,
    key TEXT,
    url TEXT,
    invalid INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    written INTEGER NOT NULL,
    worker INTEGER,
    model INTEGER NOT NULL,
    value,
    sources TEXT,
    body BLOB
);
-- Queries name the index that they need: without statistics the planner often prefers another one, with which
-- they would read the whole series.
CREATE INDEX records_by_iter ON records (series, iter);
CREATE INDEX records_by_timestamp ON records (series, timestamp);
CREATE INDEX records_by_url ON records (series, url, iter) WHERE url IS NOT NULL;

-- Usage statistics. All but numbers and companies are ids in names.
CREATE TABLE worker_samples (
    company TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    worker INTEGER NOT NULL,
    task INTEGER,
    metric INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    value REAL NOT NULL,
    PRIMARY KEY (company, timestamp, seq)
) WITHOUT ROWID;

-- How many samples there are, so that listing the keys needs no scan.
CREATE TABLE worker_keys (
    company TEXT NOT NULL,
    worker INTEGER NOT NULL,
    category INTEGER NOT NULL,
    metric INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    PRIMARY KEY (company, worker, category, metric)
) WITHOUT ROWID;

CREATE TABLE queue_samples (
    company TEXT NOT NULL,
    timestamp INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    waiting REAL NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (company, timestamp, seq)
) WITHOUT ROWID;

CREATE TABLE serving_samples (
    company TEXT NOT NULL,
    url INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    container INTEGER NOT NULL,
    requests_num REAL,
    requests_min REAL,
    uptime_sec REAL,
    latency_ms REAL,
    cpu_usage REAL,
    cpu_num REAL,
    gpu_usage REAL,
    gpu_num REAL,
    memory_free REAL,
    memory_used REAL,
    memory_total REAL,
    gpu_memory_free REAL,
    gpu_memory_used REAL,
    gpu_memory_total REAL,
    disk_free_home REAL,
    network_rx REAL,
    network_tx REAL,
    PRIMARY KEY (company, url, timestamp, seq)
) WITHOUT ROWID;
