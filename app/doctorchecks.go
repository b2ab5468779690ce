package app

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/store/postgres"
	"claviger.dev/claviger/store/redis"
	"claviger.dev/claviger/store/sqlite"
)

const (
	// doctorWait bounds each question to another server.
	doctorWait = 5 * time.Second
	// skewed is from where on a difference of clocks is told. Tokens are good
	// with 15 s of it.
	skewed = 5 * time.Second
	// expiresSoon is how long before its end a certificate is told of.
	expiresSoon = 14 * 24 * time.Hour
)

// problemsOf takes the list of a bad configuration out of the error of the
// command.
func problemsOf(err error) error {
	if p, ok := errors.AsType[config.Problems](err); ok {
		list := make([]error, len(p))
		for i := range p {
			list[i] = errors.New(p[i].String())
		}
		return errors.Join(list...)
	}
	return err
}

func (d *doctor) keys() {
	for _, p := range d.in.pool.Problems() {
		d.add("upstream key", wrong, p, "set what upstream.keys refers to; until then every call is answered 500 \"Server misconfigured\"")
	}
	n := 0
	for _, k := range d.in.pool.Status() {
		if k.ID != "" {
			n++
		}
	}
	if n > 0 {
		d.ok("upstream key", "can be read: %d", n)
	}
	if d.in.config.Upstream.KeyProcess != separateKeys {
		return
	}
	if what := confinement(d.in.config); strings.HasPrefix(what, "none") {
		d.add("key process", worth, "Landlock confines "+what, "take a kernel with Landlock, and keys from variables or files")
	} else {
		d.ok("key process", "Landlock confines %s", what)
	}
}

// files looks at who else of this machine may read and write what is ours.
func (d *doctor) files() {
	before := len(d.found)
	d.mode(d.src.path, 0o022, wrong, "others may change what the gateway does", "chmod go-w")
	state := stateDir(d.in.config, d.src)
	d.mode(state, 0o077, wrong, "others may enter the state directory", "chmod 700")
	d.mode(filepath.Join(state, "identity_key"), 0o077, wrong, "others may read the key of pseudonyms", "chmod 600")
	if path, ok := strings.CutPrefix(databaseSetting(d.in.config, d.src), "sqlite:"); ok {
		d.mode(filepath.Dir(path), 0o077, wrong, "others may enter the directory of the database, which the gateway refuses", "chmod 700")
		for _, suffix := range []string{"", "-wal", "-shm"} {
			d.mode(path+suffix, 0o077, worth, "others may read the database, which the gateway mends when it starts", "chmod 600")
		}
	}
	if len(d.found) == before {
		d.ok("files", "are this user's alone, as far as they are there")
	}
}

// mode tells when a file that is there has any of the bits that it may not have.
func (d *doctor) mode(path string, bits fs.FileMode, state, message, fix string) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || d.told(path):
	case err != nil:
		d.add("files", wrong, err.Error(), "run this as the user of the gateway")
	case info.Mode().Perm()&bits != 0:
		d.add("files", state, fmt.Sprintf("%s has mode %04o: %s", path, info.Mode().Perm(), message), fix+" "+path)
	}
}

// told reports whether a file was found fault with already.
func (d *doctor) told(path string) bool {
	for _, f := range d.found {
		if f.Check == "files" && strings.HasPrefix(f.Message, path+" ") {
			return true
		}
	}
	return false
}

func (d *doctor) certificate() {
	if d.in.tls == nil || len(d.in.tls.Certificate) == 0 {
		return
	}
	leaf, err := x509.ParseCertificate(d.in.tls.Certificate[0])
	switch left := time.Until(leafEnd(leaf)); {
	case err != nil:
		d.add("tls", wrong, "the certificate cannot be read: "+err.Error(), "")
	case left < 0:
		d.add("tls", wrong, "the certificate ended on "+leaf.NotAfter.UTC().Format(time.DateOnly), "renew it; a new file is taken without a restart")
	case left < expiresSoon:
		d.add("tls", worth, "the certificate ends on "+leaf.NotAfter.UTC().Format(time.DateOnly), "renew it; a new file is taken without a restart")
	default:
		d.ok("tls", "the certificate is good until %s", leaf.NotAfter.UTC().Format(time.DateOnly))
	}
}

func leafEnd(c *x509.Certificate) time.Time {
	if c == nil {
		return time.Time{}
	}
	return c.NotAfter
}

// proxies looks for networks in trusted_proxies in which strangers may be, who
// could then name whatever address they like.
func (d *doctor) proxies() {
	list := d.in.config.TrustedProxies
	if slices.ContainsFunc(list, config.TooWide) {
		return // told of among the warnings of the configuration
	}
	if len(list) > 0 {
		d.ok("addresses", "X-Forwarded-For is believed of %v", list)
	}
}

func (d *doctor) database(ctx context.Context) {
	setting := databaseSetting(d.in.config, d.src)
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	if setting == "memory" {
		d.add("database", worth, "storage.database is memory: owners, blocks, tickets with max_uses and what was used are forgotten with the process",
			"set storage.database to sqlite or to a reference to a postgres:// address")
		return
	}
	if path, ok := strings.CutPrefix(setting, "sqlite:"); ok {
		s, err := sqlite.Open(ctx, sqlite.Options{Path: path, Existing: true})
		if err == nil {
			err = errors.Join(s.Ping(ctx), s.Close())
		}
		switch {
		case errors.Is(err, sqlite.ErrNone):
			d.add("database", worth, err.Error(), "")
		case err != nil:
			d.add("database", wrong, err.Error(), "")
		default:
			d.ok("database", "%s is there, with the schema of this version", path)
		}
		return
	}
	url, _, err := d.in.sources.Get(ctx, claviger.Ref(setting))
	if err != nil {
		d.add("database", wrong, "storage.database: "+err.Error(), "it is the postgres:// address of the database")
		return
	}
	s, err := postgres.Open(ctx, postgres.Options{URL: url, Existing: true})
	switch {
	case errors.Is(err, postgres.ErrNone):
		d.add("database", worth, err.Error(), "")
		return
	case err != nil:
		d.add("database", wrong, err.Error(), "see that PostgreSQL runs and takes this user, from this machine")
		return
	}
	defer func() { _ = s.Close() }()
	d.ok("database", "PostgreSQL is there, with the schema of this version")
	asked := time.Now()
	theirs, err := s.Clock(ctx)
	if err != nil {
		d.add("database", wrong, err.Error(), "")
		return
	}
	d.clock("PostgreSQL", theirs, asked)
}

// clock compares a clock with ours, which was asked in between.
func (d *doctor) clock(whose string, theirs, asked time.Time) {
	ours := asked.Add(time.Since(asked) / 2)
	if by := theirs.Sub(ours).Abs(); by > skewed {
		d.add("clock", worth, fmt.Sprintf("the clock of %s and of this machine differ by %v", whose, by.Round(time.Second)),
			"let both follow a time server: tokens and proofs are good with at most 15 s of difference, and days begin by these clocks")
		return
	}
	d.ok("clock", "%s has the time of this machine", whose)
}

func (d *doctor) limits(ctx context.Context) {
	cfg := d.in.config
	if cfg.Storage.Limits == "memory" {
		d.ok("limits", "are in memory of one process; a second one on the same database is refused")
		return
	}
	a, err := redis.Open(ctx, redis.Options{URL: d.in.redis, NameKey: d.in.identity, ReadOnly: true, Timeout: doctorWait / 5})
	if err != nil {
		d.add("limits", wrong, "storage.limits: "+err.Error(), "")
		return
	}
	defer func() { _ = a.Close() }()
	if err := a.Ping(ctx); err != nil {
		d.add("limits", wrong, "storage.limits: "+err.Error(), "see that Redis runs and takes this user, from this machine: until then every call is refused with 503")
		return
	}
	d.ok("limits", "Redis can keep them")
	for _, w := range a.Warnings() {
		message, fix, _ := strings.Cut(w, ": ")
		d.add("limits", worth, message, fix)
	}
	if set := databaseSetting(cfg, d.src); set == "memory" || strings.HasPrefix(set, "sqlite:") {
		d.add("limits", worth, "gateways on other machines that share this Redis would have owners, blocks and tickets of their own",
			"set storage.database to a reference to a postgres:// address, unless this is the only machine")
	}
	if cfg.Storage.WhenLimitsFail == "allow" {
		d.add("limits", worth, "while Redis is away, calls go through without limits (storage.when_limits_fail: allow)", "leave it out, unless this is meant")
	}
	asked := time.Now()
	theirs, err := a.Clock(ctx)
	if err != nil {
		d.add("limits", wrong, "storage.limits: "+err.Error(), "")
		return
	}
	d.clock("Redis", theirs, asked)
}

func (d *doctor) issuers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, doctorWait)
	defer cancel()
	for _, issuer := range d.in.issuers {
		if err := issuer.Refresh(ctx); err != nil {
			d.add("sign-in", wrong, err.Error(), "see that this machine reaches the issuer; until then nobody can sign in with its tokens")
			continue
		}
		d.ok("sign-in", "an issuer of tokens gave its keys")
	}
}

// provider asks the provider without a key, which it refuses: that it answers is
// what counts.
func (d *doctor) provider(ctx context.Context) {
	u := d.in.config.Upstream
	client, err := netx.Client(netx.Options{BaseURL: u.BaseURL, InsecureHTTP: u.InsecureHTTP, EnvironmentProxy: true, Timeout: doctorWait})
	if err != nil {
		d.add("upstream", wrong, err.Error(), "")
		return
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(u.BaseURL, "/")+"/models", http.NoBody)
	if err != nil {
		d.add("upstream", wrong, err.Error(), "")
		return
	}
	asked := time.Now()
	a, err := netx.Ask(client, req, 1<<20)
	switch {
	case err != nil:
		d.add("upstream", wrong, err.Error(), "see that this machine may reach upstream.base_url, directly or by HTTPS_PROXY")
		return
	case a.Status >= http.StatusInternalServerError, a.Status >= 300 && a.Status < 400:
		d.add("upstream", worth, fmt.Sprintf("%s answers with status %d", u.BaseURL, a.Status), "see that upstream.base_url is the address of the API, with /v1")
		return
	}
	d.ok("upstream", "%s can be reached", u.BaseURL)
	if date, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		// Its clock stands at a whole second.
		d.clock("the provider", date.Add(time.Second/2), asked)
	}
}

// gateway asks the one that runs here, if there is one.
func (d *doctor) gateway(ctx context.Context) {
	base := "http://" + d.in.config.Admin.Listen
	addr, err := netip.ParseAddrPort(d.in.config.Admin.Listen)
	if err != nil || addr.Port() == 0 || !addr.Addr().IsLoopback() {
		return
	}
	client, err := netx.Client(netx.Options{BaseURL: base, Timeout: doctorWait})
	if err != nil {
		return
	}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", http.NoBody)
	if err != nil {
		return
	}
	resp, err := client.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		d.ok("gateway", "none runs here at the moment")
		return
	case err != nil:
		d.add("gateway", wrong, "its admin listener does not answer: "+netError(err), "look at its log")
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := netx.ReadAll(resp.Body, 1<<20, resp.ContentLength)
	v, err := jsonx.Parse(body)
	if err != nil {
		d.add("gateway", wrong, "something else than claviger listens at "+d.in.config.Admin.Listen, "end it, or set admin.listen to another port")
		return
	}
	word, _ := v.Get("status")
	reasons, _ := v.Get("reasons")
	state := worth
	if resp.StatusCode != http.StatusOK {
		state = wrong
	}
	for _, r := range reasons.Elems() {
		d.add("gateway", state, "the one that runs here says: "+r.Str(), "")
	}
	if reasons.Len() == 0 {
		d.ok("gateway", "one runs here and is %s", word.Str())
	}
}

// netError is an error of the network without the address that it repeats.
func netError(err error) string {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err.Error()
	}
	return err.Error()
}
