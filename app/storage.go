package app

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/ticket"
	"claviger.dev/claviger/block"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/owner"
	"claviger.dev/claviger/store/postgres"
	"claviger.dev/claviger/store/sqlite"
)

// engine is a database that keeps what must outlive a request.
type engine interface {
	owner.Store
	ticket.Uses
	block.Store
	Ping(ctx context.Context) error
	Close() error
}

// storage is the database of a process. It is opened once: another one takes a
// restart.
type storage struct {
	engine
	// setting is storage.database as it was opened, with the path it stands for.
	setting string
}

// pingTime is how long readyz waits for the database.
const pingTime = time.Second

// problems says why the database cannot serve.
func (s *storage) problems(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, pingTime)
	defer cancel()
	if err := s.Ping(ctx); err != nil {
		return []string{"storage.database is out of reach: " + err.Error()}
	}
	return nil
}

// memoryEngine forgets everything with the process.
type memoryEngine struct {
	*owner.Memory
	*ticket.MemoryUses
	*blocksInMemory
}

func newMemoryEngine() memoryEngine {
	return memoryEngine{owner.NewMemory(), ticket.NewMemoryUses(time.Now), &blocksInMemory{}}
}

// blocksInMemory is a store of blocks under a name of its own.
type blocksInMemory struct{ block.Memory }

// Ping implements engine.
func (memoryEngine) Ping(context.Context) error { return nil }

// Close implements engine.
func (memoryEngine) Close() error { return nil }

// databaseSetting is storage.database with the path that it stands for, so that
// two of them can be compared.
func databaseSetting(cfg *config.Config, src source) string {
	set := cfg.Storage.Database
	path, named := strings.CutPrefix(set, "sqlite:")
	switch {
	case set == "sqlite":
		return "sqlite:" + filepath.Join(stateDir(cfg, src), "claviger.db")
	case named && !filepath.IsAbs(path):
		return "sqlite:" + filepath.Join(filepath.Dir(src.path), path)
	}
	return set
}

// storage opens the database, or takes over the one that is open.
func (b *builder) storage(prev previous) {
	want := databaseSetting(b.in.config, b.src)
	switch {
	case prev.readOnly:
		b.in.storage = &storage{newMemoryEngine(), want}
	case prev.storage != nil:
		b.in.storage = prev.storage
		if prev.storage.setting != want {
			b.in.notes = append(b.in.notes, "storage.database has changed, which takes a restart")
		}
	default:
		e, err := b.openEngine(want)
		if err != nil {
			b.fail("storage.database", err, "")
			return
		}
		if e == nil {
			return // the address is missing, which has been told
		}
		b.in.storage = &storage{e, want}
	}
	guard, err := owner.New(owner.Options{Store: b.in.storage, Pseudonym: b.in.snapshot.Pseudonym, Now: time.Now})
	if err != nil {
		// Without pseudonyms, which has been told.
		return
	}
	b.in.snapshot.Owners = guard
}

// openEngine gives nil and no error where the address is missing, which has been
// told.
func (b *builder) openEngine(setting string) (engine, error) {
	if path, ok := strings.CutPrefix(setting, "sqlite:"); ok {
		s, err := sqlite.Open(b.ctx, sqlite.Options{Path: path, Log: b.log})
		if err != nil {
			return nil, fmt.Errorf("%w; set state or storage.database to a place of this user, or storage.database to memory", err)
		}
		return s, nil
	}
	if setting == "memory" {
		return newMemoryEngine(), nil
	}
	url := b.secret("storage.database", claviger.Ref(setting), "it is the postgres:// address of the database")
	if url.IsZero() {
		return nil, nil
	}
	return postgres.Open(b.ctx, postgres.Options{URL: url})
}
