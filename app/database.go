package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/store/postgres"
	"claviger.dev/claviger/store/sqlite"
)

// databaseFlags say which database a command looks at.
type databaseFlags struct {
	configFlag
	State    string `help:"The state directory, where the configuration does not say it." placeholder:"DIR"`
	Database string `help:"sqlite, sqlite:PATH or a reference, where the configuration does not say it." placeholder:"DATABASE"`
}

// keptStore is what commands read and write beside a gateway that runs.
type keptStore interface {
	Blocks(ctx context.Context) ([]claviger.Block, error)
	BlocksVersion(ctx context.Context) (int64, error)
	PutBlock(ctx context.Context, b claviger.Block) error
	DropBlock(ctx context.Context, scope claviger.BlockScope, name string) (bool, error)
	SumUsage(ctx context.Context, from, to time.Time, by claviger.UsageBy) ([]claviger.UsageSum, error)
	Kept(ctx context.Context, pseudonym string) (claviger.Kept, error)
	EraseUsage(ctx context.Context, pseudonym string) (int64, error)
	ReleaseObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) error
	EachTranscript(ctx context.Context, owner string, now time.Time, do func(claviger.SealedTranscript, claviger.TranscriptKey) error) error
	CountTranscripts(ctx context.Context, owner string) (int64, error)
	EraseRecords(ctx context.Context, owner string, now time.Time) (claviger.RecordCount, error)
	Scrub(ctx context.Context) error
	Close() error
}

// database is the database of an installation, as a command opens it: nothing is
// made or migrated, no key is needed, and the configuration may be broken.
type database struct {
	keptStore
	cfg     *config.Config
	src     source
	sources *keys.Sources
	// good says that cfg is the whole configuration.
	good bool
	// broken are the keys that could not be read.
	broken []string
	// place names the database.
	place string
}

// open finds the database and opens it.
func (f databaseFlags) open(ctx context.Context, env Environment) (*database, error) {
	d, err := f.find(env)
	if err != nil {
		return nil, badUsage(err)
	}
	if d.keptStore, err = d.connect(ctx); err != nil {
		return nil, badUsage(err)
	}
	return d, nil
}

func (f databaseFlags) find(env Environment) (*database, error) {
	d := &database{src: locate(env, f.Config)}
	cfg, wrong := d.src.load(env)
	d.cfg, d.good = cfg, wrong == nil
	if !d.good {
		data, err := d.src.read()
		if err != nil && f.State == "" && f.Database == "" {
			return nil, err
		}
		d.cfg, d.broken = leniently(data)
		if err != nil {
			d.broken = nil // there is no file, and flags say the place
		}
		if err := f.enough(d.broken); err != nil {
			return nil, err
		}
		fmt.Fprintln(env.Stderr, "note: the configuration is not good ('claviger config check' says why): "+
			"environment, state, storage.database and identity_key are all that is read of it")
	}
	if f.State != "" {
		d.cfg.State = absolute(env, f.State)
		d.cfg.Storage.Database = "sqlite"
	}
	if f.Database != "" {
		d.cfg.Storage.Database = f.Database
		if path, ok := strings.CutPrefix(f.Database, "sqlite:"); ok {
			d.cfg.Storage.Database = "sqlite:" + absolute(env, path)
		}
	}
	d.sources = keys.NewSources(keys.SourceOptions{
		Lookup: env.Lookup, Dir: filepath.Dir(d.src.path), Development: d.cfg.Environment == config.Development,
	})
	return d, nil
}

func absolute(env Environment, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(env.Dir, path)
}

// enough reports what is missing to know the database for sure: a guess could
// be one that no gateway looks at.
func (f databaseFlags) enough(broken []string) error {
	for _, key := range broken {
		named := f.State != "" || f.Database != ""
		if key != "identity_key" && !named {
			return fmt.Errorf("the configuration is broken so that %s cannot be read; name the place with --state DIR or --database DATABASE, "+
				"or repair the file ('claviger config check' says what is wrong)", key)
		}
	}
	return nil
}

var errMemory = errors.New("storage.database is memory, which is the gateway's process alone: " +
	"nothing is kept of it that a command could read or change; set storage.database to sqlite, or stop the gateway")

func (d *database) connect(ctx context.Context) (keptStore, error) {
	set := databaseSetting(d.cfg, d.src)
	if path, ok := strings.CutPrefix(set, "sqlite:"); ok {
		d.place = path
		return sqlite.Open(ctx, sqlite.Options{Path: path, Existing: true})
	}
	if set == "memory" {
		return nil, errMemory
	}
	url, err := d.secret(ctx, "storage.database", claviger.Ref(set))
	if err != nil {
		return nil, err
	}
	// Of a command only the first word is for others.
	d.place, _, _ = strings.Cut(set, " ")
	return postgres.Open(ctx, postgres.Options{URL: url, Existing: true})
}

// secret reads a reference. What is none is not repeated: it may be a secret.
func (d *database) secret(ctx context.Context, key string, ref claviger.Ref) (claviger.Secret, error) {
	if scheme, _, ok := strings.Cut(string(ref), ":"); !ok || !slices.Contains([]string{"env", "file", "command"}, scheme) {
		return claviger.Secret{}, fmt.Errorf("%s is no reference, as env:NAME or file:PATH, and a secret itself is not taken", key)
	}
	s, _, err := d.sources.Get(ctx, ref)
	if err != nil {
		return claviger.Secret{}, fmt.Errorf("%s: %w", key, err)
	}
	return s, nil
}

// pseudonym is the name under which a person is kept. It takes the key that the
// gateway has, and never makes one.
func (d *database) pseudonym(ctx context.Context, realm, subject string) (string, error) {
	key, err := d.identity(ctx)
	if err != nil {
		return "", badUsage(err)
	}
	return keys.NewIdentity(key).Pseudonym(claviger.Principal{Realm: realm, Subject: subject}), nil
}

func (d *database) identity(ctx context.Context) (claviger.Secret, error) {
	if slices.Contains(d.broken, "identity_key") {
		return claviger.Secret{}, errors.New("the configuration is broken so that identity_key cannot be read, and people are known by it; " +
			"repair it, or give --pseudonym, as it stands in the log and in 'claviger usage'")
	}
	if d.cfg.IdentityKey != "" {
		key, err := d.secret(ctx, "identity_key", d.cfg.IdentityKey)
		if err == nil {
			err = keys.Strength(key)
		}
		return key, err
	}
	dir := stateDir(d.cfg, d.src)
	if _, err := os.Stat(filepath.Join(dir, "identity_key")); err != nil {
		return claviger.Secret{}, fmt.Errorf("the key by which people are known is not there: %w; the gateway makes it when it first starts, "+
			"and --state DIR says where it keeps it", err)
	}
	key, _, err := identityFile{dir: dir}.read()
	return key, err
}
