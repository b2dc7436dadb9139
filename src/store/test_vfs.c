// SPDX-License-Identifier: Apache-2.0
#include "store/test_vfs.h"
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include "base/check.h"
#include "base/mem.h"
#include "base/rng.h"

#define SECTOR 512
#define FILES 16
#define NAME_BYTES 64
#define SHM_REGIONS 64
#define SHM_REGION_BYTES 32768 // SQLite's only size

// A change that is not on the platter.
typedef struct Pending {
    int64_t at;
    Buf bytes;
    bool truncate; // to `at`
} Pending;

typedef struct Handle Handle;

// Memory of the index of a log, while anybody has it.
typedef struct Shm {
    void *regions[SHM_REGIONS];
    int users;
    int shared[SQLITE_SHM_NLOCK]; // holders of each lock
    Handle *exclusive[SQLITE_SHM_NLOCK];
} Shm;

typedef struct DiskFile {
    Shm shm;
    int shared; // holders of the file's shared lock
    Handle *reserved, *waiting, *exclusive;
    char name[NAME_BYTES];
    bool exists, durable; // now; on the platter
    Buf now, platter;
    Pending *pending;
    int64_t pending_count, pending_cap;
} DiskFile;

struct TestVfs {
    sqlite3_vfs base;
    sqlite3_vfs *system; // for randomness, sleep, clock
    pthread_mutex_t lock;
    DiskFile files[FILES];
    TestFault fault;
    int kinds;
    int64_t at, times, count, room;
    bool dead;
};

struct Handle {
    sqlite3_file base;
    TestVfs *v;
    DiskFile *f;
    bool drop;        // delete on close
    bool sync_folder; // with the first sync: what SQLite's own disk layer does for journals and logs
    int level;        // of the file's lock
    bool maps;        // uses f->shm
    int shm_shared;   // locks of it held, as bits
};

// ---- files: caller holds the lock ---------------------------------------------------------------------------------

static DiskFile *find(TestVfs *v, const char *name) {
    for (int i = 0; i < FILES; i++)
        if (v->files[i].name[0] && strcmp(v->files[i].name, name) == 0) return &v->files[i];
    return NULL;
}

static DiskFile *find_or_add(TestVfs *v, const char *name) {
    DiskFile *f = find(v, name);
    for (int i = 0; i < FILES && !f; i++)
        if (!v->files[i].name[0]) f = &v->files[i];
    CHECK(f);
    CHECK(strlen(name) < NAME_BYTES);
    memcpy(f->name, name, strlen(name) + 1);
    return f;
}

static void set_size(Buf *b, int64_t n) {
    if (n > b->n) {
        CHECK(buf_reserve(b, n - b->n));
        memset(b->p + b->n, 0, (size_t)(n - b->n));
    }
    b->n = n;
}

static void write_at(Buf *b, int64_t at, const void *p, int64_t n) {
    if (b->n < at + n) set_size(b, at + n);
    memcpy(b->p + at, p, (size_t)n);
}

static void copy_buf(const Buf *from, Buf *to) {
    buf_reset(to);
    buf_put(to, from->p, from->n);
}

static Pending *pend(DiskFile *f) {
    if (f->pending_count == f->pending_cap) {
        f->pending_cap = f->pending_cap ? f->pending_cap * 2 : 16;
        f->pending = mem_grow(f->pending, (size_t)f->pending_cap * sizeof(Pending));
    }
    Pending *p = &f->pending[f->pending_count++];
    *p = (Pending){0};
    return p;
}

static void drop_pending(DiskFile *f) {
    for (int64_t i = 0; i < f->pending_count; i++) buf_free(&f->pending[i].bytes);
    f->pending_count = 0;
}

static void to_platter(DiskFile *f) {
    for (int64_t i = 0; i < f->pending_count; i++) {
        Pending *p = &f->pending[i];
        if (p->truncate) set_size(&f->platter, p->at);
        else write_at(&f->platter, p->at, p->bytes.p, p->bytes.n);
    }
    drop_pending(f);
    f->durable = true;
}

// What a sync of the folder does: names that are gone stay gone, new ones stay.
static void sync_folder(TestVfs *v) {
    for (int i = 0; i < FILES; i++) {
        DiskFile *f = &v->files[i];
        if (f->durable && !f->exists) {
            drop_pending(f);
            buf_reset(&f->platter);
        }
        f->durable = f->exists;
    }
}

static void truncate_now(DiskFile *f, int64_t size) {
    set_size(&f->now, size);
    Pending *p = pend(f);
    p->truncate = true;
    p->at = size;
}

static int64_t used(const TestVfs *v) {
    int64_t n = 0;
    for (int i = 0; i < FILES; i++)
        if (v->files[i].exists) n += v->files[i].now.n;
    return n;
}

// ---- breaking -----------------------------------------------------------------------------------------------------

// How this operation goes: SQLITE_OK, an error, or cut half-way (*cut).
static int fate(TestVfs *v, int kind, bool *cut) {
    *cut = false;
    if (v->dead) return SQLITE_IOERR;
    if (!(v->kinds & kind)) return SQLITE_OK;
    int64_t k = ++v->count;
    if (v->fault == TEST_FAULT_NONE || k < v->at || k >= v->at + v->times) return SQLITE_OK;
    if (v->fault == TEST_FAULT_POWER) *cut = v->dead = true;
    return v->fault == TEST_FAULT_FULL && kind == TEST_WRITE ? SQLITE_FULL : SQLITE_IOERR;
}

// Which sectors of a pending write survive, by `mode`: 0 none, 1 all, 2 all or none, 3 each by itself.
static void survive(DiskFile *f, const Pending *p, Rng *r, uint64_t mode) {
    bool whole = mode == 1 || (mode == 2 && rng_below(r, 2));
    if (p->truncate) {
        if (whole || (mode == 3 && rng_below(r, 2))) set_size(&f->platter, p->at);
        return;
    }
    int64_t end = p->at + p->bytes.n;
    for (int64_t at = p->at; at < end;) {
        int64_t next = (at / SECTOR + 1) * SECTOR;
        if (next > end) next = end;
        if (whole || (mode == 3 && rng_below(r, 2))) write_at(&f->platter, at, p->bytes.p + (at - p->at), next - at);
        at = next;
    }
}

void test_vfs_power_on(TestVfs *v, uint64_t seed) {
    Rng r = rng_make(seed, 99);
    uint64_t mode = rng_below(&r, 4);
    pthread_mutex_lock(&v->lock);
    for (int i = 0; i < FILES; i++) {
        DiskFile *f = &v->files[i];
        if (!f->name[0]) continue;
        bool stays = f->exists == f->durable ? f->exists : rng_below(&r, 2);
        for (int64_t k = 0; k < f->pending_count; k++) survive(f, &f->pending[k], &r, mode);
        drop_pending(f);
        if (!stays) buf_reset(&f->platter);
        copy_buf(&f->platter, &f->now);
        f->exists = f->durable = stays;
    }
    v->dead = false;
    v->fault = TEST_FAULT_NONE;
    pthread_mutex_unlock(&v->lock);
}

void test_vfs_break(TestVfs *v, TestFault fault, int kinds, int64_t at, int64_t times) {
    pthread_mutex_lock(&v->lock);
    v->fault = fault;
    v->kinds = kinds;
    v->at = at;
    v->times = times;
    v->count = 0;
    pthread_mutex_unlock(&v->lock);
}

int64_t test_vfs_count(TestVfs *v) {
    pthread_mutex_lock(&v->lock);
    int64_t n = v->count;
    pthread_mutex_unlock(&v->lock);
    return n;
}

bool test_vfs_dead(TestVfs *v) {
    pthread_mutex_lock(&v->lock);
    bool dead = v->dead;
    pthread_mutex_unlock(&v->lock);
    return dead;
}

void test_vfs_room(TestVfs *v, int64_t bytes) {
    pthread_mutex_lock(&v->lock);
    v->room = bytes;
    pthread_mutex_unlock(&v->lock);
}

int64_t test_vfs_used(TestVfs *v) {
    pthread_mutex_lock(&v->lock);
    int64_t n = used(v);
    pthread_mutex_unlock(&v->lock);
    return n;
}

Buf *test_vfs_file(TestVfs *v, const char *name) {
    DiskFile *f = find(v, name);
    return f && f->exists ? &f->now : NULL;
}

void test_vfs_copy(TestVfs *from, TestVfs *to) {
    for (int i = 0; i < FILES; i++) {
        DiskFile *a = &from->files[i], *b = &to->files[i];
        memcpy(b->name, a->name, NAME_BYTES);
        b->exists = b->durable = a->exists;
        copy_buf(&a->now, &b->now);
        copy_buf(&a->now, &b->platter);
        drop_pending(b);
    }
    to->dead = false;
    to->fault = TEST_FAULT_NONE;
}

// ---- sqlite3_io_methods -------------------------------------------------------------------------------------------

static void unlock_to(Handle *h, int level);

static int h_close(sqlite3_file *file) {
    Handle *h = (Handle *)file;
    pthread_mutex_lock(&h->v->lock);
    unlock_to(h, SQLITE_LOCK_NONE);
    if (h->drop) {
        drop_pending(h->f);
        buf_reset(&h->f->now);
        h->f->exists = false;
    }
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static int h_read(sqlite3_file *file, void *out, int n, sqlite3_int64 at) {
    Handle *h = (Handle *)file;
    bool cut;
    pthread_mutex_lock(&h->v->lock);
    int rc = fate(h->v, TEST_READ, &cut);
    int64_t have = h->f->now.n - at;
    have = have < 0 ? 0 : have > n ? n : have;
    if (rc == SQLITE_OK) {
        if (have) memcpy(out, h->f->now.p + at, (size_t)have);
        memset((char *)out + have, 0, (size_t)(n - have));
        if (have < n) rc = SQLITE_IOERR_SHORT_READ;
    } else rc = SQLITE_IOERR_READ;
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static int h_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 at) {
    Handle *h = (Handle *)file;
    bool cut;
    pthread_mutex_lock(&h->v->lock);
    int rc = fate(h->v, TEST_WRITE, &cut);
    int64_t more = at + n - h->f->now.n;
    if (rc == SQLITE_OK && h->v->room && more > 0 && used(h->v) + more > h->v->room) rc = SQLITE_FULL;
    if (rc == SQLITE_OK || cut) {
        write_at(&h->f->now, at, p, n);
        Pending *w = pend(h->f);
        w->at = at;
        buf_put(&w->bytes, p, n);
    } else if (rc == SQLITE_IOERR) rc = SQLITE_IOERR_WRITE;
    pthread_mutex_unlock(&h->v->lock);
    return rc;
}

static int h_truncate(sqlite3_file *file, sqlite3_int64 size) {
    Handle *h = (Handle *)file;
    bool cut;
    pthread_mutex_lock(&h->v->lock);
    int rc = fate(h->v, TEST_TRUNCATE, &cut);
    if (rc == SQLITE_OK || cut) truncate_now(h->f, size);
    pthread_mutex_unlock(&h->v->lock);
    return rc == SQLITE_OK ? rc : SQLITE_IOERR_TRUNCATE;
}

static int h_sync(sqlite3_file *file, int flags) {
    (void)flags;
    Handle *h = (Handle *)file;
    bool cut;
    pthread_mutex_lock(&h->v->lock);
    int rc = fate(h->v, TEST_SYNC, &cut);
    if (rc == SQLITE_OK) {
        if (h->sync_folder) sync_folder(h->v);
        h->sync_folder = false;
        to_platter(h->f);
    }
    pthread_mutex_unlock(&h->v->lock);
    return rc == SQLITE_OK ? rc : SQLITE_IOERR_FSYNC;
}

static int h_size(sqlite3_file *file, sqlite3_int64 *out) {
    Handle *h = (Handle *)file;
    pthread_mutex_lock(&h->v->lock);
    *out = h->f->now.n;
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static void unlock_to(Handle *h, int level) {
    DiskFile *f = h->f;
    if (level < SQLITE_LOCK_EXCLUSIVE && f->exclusive == h) f->exclusive = NULL;
    if (level < SQLITE_LOCK_PENDING && f->waiting == h) f->waiting = NULL;
    if (level < SQLITE_LOCK_RESERVED && f->reserved == h) f->reserved = NULL;
    if (level < SQLITE_LOCK_SHARED && h->level >= SQLITE_LOCK_SHARED) f->shared--;
    if (h->level > level) h->level = level;
}

// One step up; the caller holds the lock.
static bool lock_to(Handle *h, int level) {
    DiskFile *f = h->f;
    if (level == SQLITE_LOCK_SHARED) {
        if (f->waiting || f->exclusive) return false;
        f->shared++;
    } else if (level == SQLITE_LOCK_RESERVED) {
        if (f->reserved) return false;
        f->reserved = h;
    } else {
        if (f->waiting && f->waiting != h) return false;
        f->waiting = h;
        if (h->level < SQLITE_LOCK_PENDING) h->level = SQLITE_LOCK_PENDING;
        if (f->shared > 1) return false; // a reader is left: nobody new comes, and this one tries again
        f->exclusive = h;
    }
    h->level = level;
    return true;
}

static int h_lock(sqlite3_file *file, int level) {
    Handle *h = (Handle *)file;
    pthread_mutex_lock(&h->v->lock);
    bool had = h->level >= level || lock_to(h, level);
    pthread_mutex_unlock(&h->v->lock);
    return had ? SQLITE_OK : SQLITE_BUSY;
}

static int h_unlock(sqlite3_file *file, int level) {
    Handle *h = (Handle *)file;
    pthread_mutex_lock(&h->v->lock);
    unlock_to(h, level);
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static int h_reserved(sqlite3_file *file, int *out) {
    Handle *h = (Handle *)file;
    pthread_mutex_lock(&h->v->lock);
    *out = h->f->reserved != NULL;
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

// ---- the index of a log ---------------------------------------------------------------------------------------------

static int h_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out) {
    Handle *h = (Handle *)file;
    CHECK(region < SHM_REGIONS);
    CHECK(size == SHM_REGION_BYTES);
    pthread_mutex_lock(&h->v->lock);
    Shm *m = &h->f->shm;
    if (!h->maps) m->users++;
    h->maps = true;
    if (!m->regions[region] && extend) m->regions[region] = mem_alloc((size_t)size);
    *out = m->regions[region];
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static bool shm_try(Handle *h, int first, int n, bool exclusive) {
    Shm *m = &h->f->shm;
    for (int i = first; i < first + n; i++) {
        int mine = h->shm_shared >> i & 1;
        if (m->exclusive[i] && m->exclusive[i] != h) return false;
        if (exclusive && m->shared[i] > mine) return false;
    }
    for (int i = first; i < first + n; i++) {
        if (exclusive) m->exclusive[i] = h;
        else if (!(h->shm_shared >> i & 1)) m->shared[i]++, h->shm_shared |= 1 << i;
    }
    return true;
}

static void shm_let_go(Handle *h, int first, int n) {
    Shm *m = &h->f->shm;
    for (int i = first; i < first + n; i++) {
        if (m->exclusive[i] == h) m->exclusive[i] = NULL;
        if (h->shm_shared >> i & 1) m->shared[i]--, h->shm_shared &= ~(1 << i);
    }
}

static int h_shm_lock(sqlite3_file *file, int first, int n, int flags) {
    Handle *h = (Handle *)file;
    bool done = true;
    pthread_mutex_lock(&h->v->lock);
    if (flags & SQLITE_SHM_UNLOCK) shm_let_go(h, first, n);
    else done = shm_try(h, first, n, flags & SQLITE_SHM_EXCLUSIVE);
    pthread_mutex_unlock(&h->v->lock);
    return done ? SQLITE_OK : SQLITE_BUSY;
}

static void h_shm_barrier(sqlite3_file *file) {
    Handle *h = (Handle *)file;
    pthread_mutex_lock(&h->v->lock);
    pthread_mutex_unlock(&h->v->lock);
}

static int h_shm_unmap(sqlite3_file *file, int drop) {
    (void)drop; // it goes with its last user anyway
    Handle *h = (Handle *)file;
    pthread_mutex_lock(&h->v->lock);
    Shm *m = &h->f->shm;
    shm_let_go(h, 0, SQLITE_SHM_NLOCK);
    if (h->maps && --m->users == 0)
        for (int i = 0; i < SHM_REGIONS; i++) mem_free(m->regions[i]), m->regions[i] = NULL;
    h->maps = false;
    pthread_mutex_unlock(&h->v->lock);
    return SQLITE_OK;
}

static int h_control(sqlite3_file *file, int op, void *arg) { return (void)file, (void)op, (void)arg, SQLITE_NOTFOUND; }
static int h_sector(sqlite3_file *file) { return (void)file, SECTOR; }
static int h_device(sqlite3_file *file) { return (void)file, SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

static const sqlite3_io_methods methods = {
    .iVersion = 2, // with shared memory
    .xClose = h_close,
    .xRead = h_read,
    .xWrite = h_write,
    .xTruncate = h_truncate,
    .xSync = h_sync,
    .xFileSize = h_size,
    .xLock = h_lock,
    .xUnlock = h_unlock,
    .xCheckReservedLock = h_reserved,
    .xFileControl = h_control,
    .xSectorSize = h_sector,
    .xDeviceCharacteristics = h_device,
    .xShmMap = h_shm_map,
    .xShmLock = h_shm_lock,
    .xShmBarrier = h_shm_barrier,
    .xShmUnmap = h_shm_unmap,
};

// ---- sqlite3_vfs --------------------------------------------------------------------------------------------------

static TestVfs *vfs_of(sqlite3_vfs *b) { return (TestVfs *)(void *)b; }

static int v_open(sqlite3_vfs *b, const char *name, sqlite3_file *file, int flags, int *out_flags) {
    TestVfs *v = vfs_of(b);
    Handle *h = (Handle *)file;
    bool cut;
    h->base.pMethods = NULL;
    pthread_mutex_lock(&v->lock);
    DiskFile *f = find_or_add(v, name ? name : "temporary");
    int rc = v->dead ? SQLITE_IOERR : SQLITE_OK;
    if (!f->exists) {
        rc = flags & SQLITE_OPEN_CREATE ? fate(v, TEST_CREATE, &cut) : SQLITE_CANTOPEN;
        if (rc == SQLITE_OK) {
            f->exists = true;
            truncate_now(f, 0);
        }
    }
    pthread_mutex_unlock(&v->lock);
    if (rc != SQLITE_OK) return rc == SQLITE_IOERR ? SQLITE_CANTOPEN : rc;
    *h =
        (Handle){.base = {&methods},
                 .v = v,
                 .f = f,
                 .drop = flags & SQLITE_OPEN_DELETEONCLOSE,
                 .sync_folder = (flags & SQLITE_OPEN_CREATE) && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL))};
    if (out_flags) *out_flags = flags;
    return SQLITE_OK;
}

static int v_delete(sqlite3_vfs *b, const char *name, int sync) {
    TestVfs *v = vfs_of(b);
    bool cut = false;
    pthread_mutex_lock(&v->lock);
    DiskFile *f = find(v, name);
    int rc = f && f->exists ? fate(v, TEST_DELETE, &cut) : SQLITE_IOERR_DELETE_NOENT;
    if (rc == SQLITE_OK || cut) {
        f->exists = false;
        truncate_now(f, 0);
        if (sync && rc == SQLITE_OK) sync_folder(v);
    }
    pthread_mutex_unlock(&v->lock);
    return rc == SQLITE_IOERR ? SQLITE_IOERR_DELETE : rc;
}

static int v_access(sqlite3_vfs *b, const char *name, int flags, int *out) {
    (void)flags;
    TestVfs *v = vfs_of(b);
    pthread_mutex_lock(&v->lock);
    DiskFile *f = find(v, name);
    *out = f && f->exists;
    int rc = v->dead ? SQLITE_IOERR_ACCESS : SQLITE_OK;
    pthread_mutex_unlock(&v->lock);
    return rc;
}

static int v_path(sqlite3_vfs *b, const char *name, int n, char *out) {
    (void)b;
    return sqlite3_snprintf(n, out, "%s", name), SQLITE_OK;
}

static int v_random(sqlite3_vfs *b, int n, char *out) {
    sqlite3_vfs *s = vfs_of(b)->system;
    return s->xRandomness(s, n, out);
}
// Connections of several threads wait for each other: SQLite gives up after some tries, not after some time.
static int v_sleep(sqlite3_vfs *b, int us) {
    sqlite3_vfs *s = vfs_of(b)->system;
    return s->xSleep(s, us);
}
static int v_now(sqlite3_vfs *b, double *out) {
    sqlite3_vfs *s = vfs_of(b)->system;
    return s->xCurrentTime(s, out);
}
static int v_error(sqlite3_vfs *b, int n, char *out) { return (void)b, (void)n, (void)out, 0; }

TestVfs *test_vfs_new(const char *name) {
    TestVfs *v = mem_alloc(sizeof *v);
    v->base = (sqlite3_vfs){
        .iVersion = 1,
        .szOsFile = (int)sizeof(Handle),
        .mxPathname = NAME_BYTES,
        .zName = name,
        .xOpen = v_open,
        .xDelete = v_delete,
        .xAccess = v_access,
        .xFullPathname = v_path,
        .xRandomness = v_random,
        .xSleep = v_sleep,
        .xCurrentTime = v_now,
        .xGetLastError = v_error,
    };
    v->system = sqlite3_vfs_find(NULL);
    pthread_mutex_init(&v->lock, NULL);
    CHECK(sqlite3_vfs_register(&v->base, 0) == SQLITE_OK);
    return v;
}

void test_vfs_free(TestVfs *v) {
    sqlite3_vfs_unregister(&v->base);
    for (int i = 0; i < FILES; i++) {
        DiskFile *f = &v->files[i];
        drop_pending(f);
        mem_free(f->pending);
        buf_free(&f->now);
        buf_free(&f->platter);
    }
    pthread_mutex_destroy(&v->lock);
    mem_free(v);
}
