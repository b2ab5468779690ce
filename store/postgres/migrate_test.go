package postgres

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/stdlib"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/testnet"
	"claviger.dev/claviger/store/internal/sqldb"
	"claviger.dev/claviger/store/internal/sqldbtest"
)

// server does without fsync: these tests end servers and no machines.
var server = testnet.Postgres{Settings: []string{"fsync=off"}}

func TestMain(m *testing.M) {
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

func TestMigrations(t *testing.T) {
	o := Options{URL: claviger.NewSecret([]byte(server.URL(t)))}
	c, err := parse(o)
	if err != nil {
		t.Fatal(err)
	}
	db := stdlib.OpenDB(*c.ConnConfig)
	t.Cleanup(func() { _ = db.Close() })
	d, err := dialect()
	if err != nil {
		t.Fatal(err)
	}
	sqldbtest.Migrations(t, sqldbtest.Engine{
		Dialect: d, DB: db, Tables: `SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public'`,
		Open: func(ctx context.Context) error {
			s, err := Open(ctx, o)
			if err == nil {
				err = s.Close()
			}
			return err
		},
	})
}

func TestPlaintextIsRefused(t *testing.T) {
	for _, c := range []struct {
		url   string
		plain bool
		want  string
	}{
		{"postgres://u:SECRET@db.example.com/x", false, "db.example.com could go out in plain text"},
		{"postgres://u:SECRET@db.example.com/x?sslmode=disable", false, "plain text"},
		{"postgres://u:SECRET@db.example.com/x?sslmode=prefer", false, "plain text"},
		{"postgres://u:SECRET@127.0.0.1,db.example.com/x?sslmode=allow", false, "plain text"},
		{"postgres://u:SECRET@10.0.0.5/x", false, "plain text"},
		{"postgres://u:SECRET@db.example.com/x?sslmode=disable", true, ""},
		{"postgres://u:SECRET@db.example.com/x?sslmode=verify-full", false, ""},
		{"postgres://u:SECRET@db.example.com/x?sslmode=require", false, ""},
		{"postgres://u:SECRET@127.0.0.1/x", false, ""},
		{"postgres://u:SECRET@localhost/x", false, ""},
		{"postgres://u:SECRET@[::1]/x", false, ""},
		{"postgres:///x?host=/run/postgresql", false, ""},
		{"postgres://u:SECRET%zz@db.example.com/x", true, "is not good"},
		{"postgres://u:SECRET#rest@db.example.com/x", true, "is not good"},
		{"user=u password='SECRET host=x", true, "is not good"},
		{"postgres://u:SECRET@h:port/x", true, "is not good"},
		{"", true, "no URL"},
	} {
		o := Options{InsecurePlaintext: c.plain}
		if c.url != "" {
			o.URL = claviger.NewSecret([]byte(c.url))
		}
		_, err := parse(o)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.url, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.url, err, c.want)
		case err != nil && strings.Contains(err.Error(), "SECRET"):
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// TestExisting: a command beside a running gateway makes and migrates nothing.
func TestExisting(t *testing.T) {
	o := Options{URL: claviger.NewSecret([]byte(server.URL(t)))}
	existing := o
	existing.Existing = true
	for range 2 {
		if _, err := Open(t.Context(), existing); !errors.Is(err, sqldb.ErrNone) {
			t.Errorf("opened with %v", err)
		}
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	beside, err := Open(t.Context(), existing)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := beside.Blocks(t.Context()); err != nil {
		t.Error(err)
	}
	if err := beside.Close(); err != nil {
		t.Error(err)
	}
}
