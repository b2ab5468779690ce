package app

import (
	"net/http"
	"os"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/store/sqlite"
)

// TestBlocksOfTheDatabase: what another process writes into the database holds
// within a second, also while the configuration on disk is broken and a reload
// is refused, and max_uses is counted there.
func TestBlocksOfTheDatabase(t *testing.T) {
	s := newSite(t)
	if err := os.Mkdir(s.path("db"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("claviger.yaml", siteConfig+"storage: {database: sqlite:db/blocks.db}\n")
	p := s.start("serve")
	token := p.ticket()
	if r := p.generate(token); r.StatusCode != http.StatusOK {
		t.Fatalf("before: %d %s", r.StatusCode, r.body)
	}
	s.write("claviger.yaml", "auth: [")
	p.untilReady(http.StatusOK, "degraded")
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: s.path("db/blocks.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.PutBlock(t.Context(), claviger.Block{Scope: claviger.BlockEveryone, Since: time.Now(), Reason: "a leak"}); err != nil {
		t.Fatal(err)
	}
	p.until("everyone is kept out", func() bool { return p.generate(token).StatusCode == http.StatusForbidden })
	if _, err := db.DropBlock(t.Context(), claviger.BlockEveryone, ""); err != nil {
		t.Fatal(err)
	}
	p.until("everyone is let in", func() bool { return p.generate(token).StatusCode == http.StatusOK })
	once := ticketIn(t, p.post("/tickets", p.serviceKey, `{"sub":"ada","max_uses":1}`).body)
	for i, want := range []int{http.StatusOK, http.StatusUnauthorized} {
		if r := p.generate(once); r.StatusCode != want {
			t.Errorf("use %d: %d %s", i, r.StatusCode, r.body)
		}
	}
}

func ticketIn(t *testing.T, body string) string {
	t.Helper()
	v, err := jsonx.Parse([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	token, _ := v.Get("ticket")
	return token.Str()
}
