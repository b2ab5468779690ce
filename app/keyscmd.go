package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/upstream"
)

type keysCommand struct {
	List   keysList   `cmd:"" help:"List the provider's keys by fingerprint, and how they stand."`
	Test   keysTest   `cmd:"" help:"Ask the provider about each key; costs nothing."`
	Rotate keysRotate `cmd:"" help:"Put a new key in the place of an old one, with no call that fails."`
	Retire keysRetire `cmd:"" help:"Take a key out of use, here and at the provider: for one that leaked."`
}

// gatewayFlags say which gateways run.
type gatewayFlags struct {
	Gateway []string `help:"The admin listener of a gateway that runs, for each of them (default: admin.listen)." placeholder:"URL"`
}

// upstreamKeys are the keys of a configuration, read as the gateway reads them.
type upstreamKeys struct {
	cfg     *config.Config
	sources *keys.Sources
	dir     string
	list    []keys.PoolKey
}

// readKeys reads the keys of this environment.
func readKeys(ctx context.Context, env Environment, src source) (*upstreamKeys, error) {
	cfg, err := src.load(env)
	if err != nil {
		return nil, err
	}
	u := &upstreamKeys{cfg: cfg, dir: filepath.Dir(src.path)}
	u.sources = keys.NewSources(keys.SourceOptions{Lookup: env.Lookup, Dir: u.dir, Development: cfg.Environment == config.Development})
	for _, k := range cfg.Upstream.Keys {
		if k.Environment != "" && k.Environment != cfg.Environment {
			continue
		}
		s, _, err := u.sources.Get(ctx, k.Ref)
		u.list = append(u.list, keys.PoolKey{
			Ref: k.Ref, Secret: s, Err: err, Weight: int(k.Weight), Environment: k.Environment, Project: k.Project,
			For: keys.KeyFor{Plans: k.Plans, Actions: k.Actions},
		})
	}
	return u, nil
}

// find returns the key of a fingerprint or reference; without a name, the only one.
func (u *upstreamKeys) find(name string) (keys.PoolKey, error) {
	var found []keys.PoolKey
	for _, k := range u.list {
		if name == "" || k.Secret.Fingerprint() == name || string(k.Ref) == name {
			found = append(found, k)
		}
	}
	switch {
	case len(found) == 0:
		return keys.PoolKey{}, errors.New("no upstream key of this configuration and environment is called so; 'claviger keys list' tells the fingerprints")
	case len(found) > 1:
		return keys.PoolKey{}, errors.New("there are several upstream keys; name one by its fingerprint, which 'claviger keys list' tells")
	}
	return found[0], nil
}

// account speaks with the provider.
func (u *upstreamKeys) account() (*upstream.Account, error) {
	p := u.cfg.Upstream
	return upstream.NewAccount(upstream.Options{BaseURL: p.BaseURL, KeyHeader: p.KeyHeader, Connect: p.Timeouts.Connect, InsecureHTTP: p.InsecureHTTP})
}

// gateways are the admin listeners to ask.
func (f gatewayFlags) gateways(cfg *config.Config) []string {
	if len(f.Gateway) > 0 {
		return f.Gateway
	}
	return []string{"http://" + cfg.Admin.Listen}
}

// askGateway reads how a running gateway sees its keys.
func askGateway(ctx context.Context, url string) (keysView, error) {
	var v keysView
	url = strings.TrimRight(url, "/")
	// Nothing secret goes there, and nothing secret comes back.
	c, err := netx.Client(netx.Options{BaseURL: url, InsecureHTTP: true, Connect: 2 * time.Second, Timeout: 5 * time.Second})
	if err != nil {
		return v, fmt.Errorf("%s: %w", url, err)
	}
	defer c.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/keys", nil)
	if err != nil {
		return v, fmt.Errorf("%s is no address", url)
	}
	a, err := netx.Ask(c, r, 1<<20)
	if err != nil {
		return v, err
	}
	if a.Status != http.StatusOK || a.CheckJSON() != nil || jsonx.Unmarshal(a.Body, &v) != nil {
		return v, fmt.Errorf("%s is no admin listener of this version", url)
	}
	return v, nil
}

type keysList struct {
	configFlag
	gatewayFlags
	Format string `help:"table or json." enum:"table,json" default:"table"`
}

// Run lists the keys as a running gateway sees them, else as they would be read.
func (c keysList) Run(ctx context.Context, env Environment) error {
	u, err := readKeys(ctx, env, locate(env, c.Config))
	if err != nil {
		return err
	}
	all := keysView{Keys: []keyView{}, Draining: []drainingView{}}
	asked := 0
	for _, g := range c.gateways(u.cfg) {
		v, err := askGateway(ctx, g)
		if err != nil {
			fmt.Fprintf(env.Stderr, "note: no gateway answers at %s, so what it knows is not shown\n", g)
			continue
		}
		asked++
		all.Keys, all.Draining = append(all.Keys, v.Keys...), append(all.Draining, v.Draining...)
	}
	if asked == 0 {
		all = viewOfPool(keys.NewPool(keys.PoolOptions{}, u.list))
		for i := range all.Keys {
			if all.Keys[i].State == string(keys.StateHealthy) {
				all.Keys[i].State = "unknown"
			}
		}
	}
	if c.Format == "json" {
		err = writeJSON(env.Stdout, all)
	} else {
		err = writeKeyTable(env, all)
	}
	if err == nil && !anyFit(all.Keys) {
		return &exitError{code: exitRefused, err: errors.New("no upstream key is fit to be used")}
	}
	return err
}

func anyFit(list []keyView) bool {
	for _, k := range list {
		switch keys.State(k.State) {
		case keys.StateMissing, keys.StateRejected, keys.StateMisplaced, keys.StateRetired:
		default:
			return true
		}
	}
	return false
}

func writeKeyTable(env Environment, v keysView) error {
	t := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FINGERPRINT\tKEY\tSTATE\tIN FLIGHT\tWEIGHT\tPROJECT\tFOR\tNOTE")
	for _, k := range v.Keys {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", dash(k.Fingerprint), printable(k.Ref), k.State, k.InFlight, k.Weight,
			dash(printable(k.Project)), forWhom(k), dash(printable(noteOf(k))))
	}
	for _, d := range v.Draining {
		fmt.Fprintf(t, "%s\t-\tdraining\t%d\t-\t-\t-\t-\n", d.Fingerprint, d.InFlight)
	}
	return t.Flush()
}

func forWhom(k keyView) string {
	var out []string
	for _, p := range k.Plans {
		out = append(out, "plan "+printable(p))
	}
	for _, a := range k.Actions {
		out = append(out, "action "+printable(a))
	}
	if len(out) == 0 {
		return "everyone"
	}
	return strings.Join(out, ", ")
}

func noteOf(k keyView) string {
	switch {
	case k.Problem != "":
		return k.Problem
	case k.State == string(keys.StateMisplaced):
		return "answers for " + k.AnswersFor
	case k.Answer != 0 && k.Until != "":
		return "the provider answered " + strconv.Itoa(k.Answer) + "; tried again at " + k.Until
	}
	return ""
}

type keysTest struct {
	configFlag
	Format string `help:"table or json." enum:"table,json" default:"table"`
}

// keyTest is what the provider says about one key.
type keyTest struct {
	Fingerprint string `json:"fingerprint"`
	Ref         string `json:"ref"`
	OK          bool   `json:"ok"`
	Status      int    `json:"status,omitzero"`
	AnswersFor  string `json:"answers_for,omitempty"`
	Problem     string `json:"problem,omitempty"`
}

// Run asks the provider about every key.
func (c keysTest) Run(ctx context.Context, env Environment) error {
	u, err := readKeys(ctx, env, locate(env, c.Config))
	if err != nil {
		return err
	}
	account, err := u.account()
	if err != nil {
		return badUsage(err)
	}
	defer account.CloseIdle()
	list, bad := []keyTest{}, 0
	for _, k := range u.list {
		t := testKey(ctx, account, k)
		if !t.OK {
			bad++
		}
		list = append(list, t)
	}
	if c.Format == "json" {
		err = writeJSON(env.Stdout, list)
	} else {
		err = writeKeyTests(env, list)
	}
	if err == nil && (bad > 0 || len(list) == 0) {
		return &exitError{code: exitRefused, err: fmt.Errorf("%d of %d upstream keys are good", len(list)-bad, len(list))}
	}
	return err
}

func testKey(ctx context.Context, account *upstream.Account, k keys.PoolKey) keyTest {
	t := keyTest{Fingerprint: k.Secret.Fingerprint(), Ref: shortRef(k.Ref)}
	if k.Err != nil {
		t.Problem = k.Err.Error()
		return t
	}
	s, err := account.Probe(ctx, k.Secret)
	t.Status, t.AnswersFor = s.Status, s.Project
	switch {
	case err != nil:
		t.Problem = err.Error()
	case s.Status != http.StatusOK:
		t.Problem = "the provider refuses it"
	case k.Project != "" && s.Project != "" && s.Project != k.Project:
		t.Problem = "it is pinned to " + k.Project
	default:
		t.OK = true
	}
	return t
}

func writeKeyTests(env Environment, list []keyTest) error {
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "FINGERPRINT\tKEY\tGOOD\tSTATUS\tANSWERS FOR\tPROBLEM")
	for _, t := range list {
		good, status := "no", "-"
		if t.OK {
			good = "yes"
		}
		if t.Status != 0 {
			status = strconv.Itoa(t.Status)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", dash(t.Fingerprint), printable(t.Ref), good, status, dash(printable(t.AnswersFor)), dash(printable(t.Problem)))
	}
	return w.Flush()
}

// adminFlags name the key of the provider's administration, which the gateway
// itself never reads.
type adminFlags struct {
	AdminKey string `help:"The key of the provider's administration API, by reference. The gateway needs none: keep it elsewhere." default:"env:OPENAI_ADMIN_KEY" placeholder:"REF"`
	Project  string `help:"The provider's project of the key (default: the key's own, from the configuration or the provider)." placeholder:"ID"`
}

// at finds the key at the provider: its project, and the one entry that it is.
func (f adminFlags) at(ctx context.Context, a *upstream.Account, admin claviger.Secret, k keys.PoolKey) (string, upstream.ProjectKey, error) {
	project := f.Project
	if project == "" {
		project = k.Project
	}
	if project == "" {
		s, err := a.Probe(ctx, k.Secret)
		if err != nil {
			return "", upstream.ProjectKey{}, err
		}
		if project = s.Project; project == "" {
			return "", upstream.ProjectKey{}, errors.New("the provider does not say of which project the key is; name it with --project")
		}
	}
	list, err := a.ProjectKeys(ctx, admin, project)
	if err != nil {
		return "", upstream.ProjectKey{}, err
	}
	switch which := upstream.Which(list, k.Secret); len(which) {
	case 1:
		return project, which[0], nil
	case 0:
		return "", upstream.ProjectKey{}, fmt.Errorf("no key of %s looks like this one; is it of another project?", project)
	default:
		return "", upstream.ProjectKey{}, fmt.Errorf("%d keys of %s look like this one, so which to delete cannot be told; delete it by hand", len(which), project)
	}
}
