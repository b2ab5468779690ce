package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/keys"
	"claviger.dev/claviger/upstream"
)

const (
	// lookEvery is how often a rotation looks how far things are.
	lookEvery = 100 * time.Millisecond
	// goodWithin is how long a key that was made may take to be good, goneWithin
	// how long one that was deleted may take to be refused.
	goodWithin, goneWithin = time.Minute, time.Minute
	// takenWithin is how long a gateway may take to use a key that was written.
	takenWithin = 30 * time.Second
)

type keysRotate struct {
	configFlag
	gatewayFlags
	adminFlags
	Key   string         `arg:"" optional:"" help:"The key, by fingerprint or reference; needed where there are several."`
	Out   string         `help:"Write the new key to this file instead of the key's own, and leave the old one alive: for keys that come from elsewhere." placeholder:"FILE"`
	Drain *time.Duration `help:"How long calls with the old key may go on before it is deleted (default: upstream.timeouts.total)." placeholder:"TIME"`
	Yes   bool           `help:"Do it. Without it, everything is looked at and nothing changed."`
}

// rotation is one key on its way out.
type rotation struct {
	c       keysRotate
	env     Environment
	u       *upstreamKeys
	account *upstream.Account
	admin   claviger.Secret
	old     keys.PoolKey
	file    string
	drain   time.Duration
	project string
	entry   upstream.ProjectKey
	made    upstream.NewKey
}

// Run rotates a key: make, write, wait until every gateway has switched and drained,
// delete.
func (c keysRotate) Run(ctx context.Context, env Environment) error {
	r, err := c.prepare(ctx, env)
	if err != nil {
		return badUsage(err)
	}
	defer r.account.CloseIdle()
	fmt.Fprintf(env.Stderr, "The key %s (%s) is key %s of %s.\n", r.old.Secret.Fingerprint(), shortRef(r.old.Ref), r.entry.ID, r.project)
	if !c.Yes {
		fmt.Fprintf(env.Stdout, "Nothing is changed without --yes. What would be done:\n"+
			"  make a service account with a key in %s\n  write the key to %s\n", r.project, r.file)
		if c.Out == "" {
			fmt.Fprintf(env.Stdout, "  wait until the gateways use it, and at most %s for calls with the old key\n  delete the %s, and with it the old key\n", r.drain, ownerOf(r.entry))
		}
		return nil
	}
	if err := r.create(ctx); err != nil {
		return &exitError{code: exitRefused, err: err}
	}
	if c.Out != "" {
		_, err = fmt.Fprintf(env.Stdout, "Made %s, in %s. The old key %s is as good as before: delete it once nobody uses it.\n", r.made.Secret.Fingerprint(), r.file, r.old.Secret.Fingerprint())
		return err
	}
	if err := r.finish(ctx); err != nil {
		return &exitError{code: exitRefused, err: fmt.Errorf("%w; the new key is in %s, and the old one is still good at the provider: "+
			"delete %s of %s there once nobody uses it", err, r.file, r.entry.ID, r.project)}
	}
	_, err = fmt.Fprintf(env.Stdout, "Rotated: %s is in use, %s is deleted.\n", r.made.Secret.Fingerprint(), r.old.Secret.Fingerprint())
	return err
}

func ownerOf(k upstream.ProjectKey) string {
	if k.Account != "" {
		return "service account " + printable(k.AccountName)
	}
	return "key " + printable(k.Name)
}

// prepare finds out everything that can be known before anything is changed.
func (c keysRotate) prepare(ctx context.Context, env Environment) (*rotation, error) {
	src := locate(env, c.Config)
	u, err := readKeys(ctx, env, src)
	if err != nil {
		return nil, err
	}
	r := &rotation{c: c, env: env, u: u, drain: u.cfg.Upstream.Timeouts.Total}
	if c.Drain != nil {
		r.drain = *c.Drain
	}
	if r.old, err = u.find(c.Key); err != nil {
		return nil, err
	}
	if r.old.Err != nil {
		return nil, r.old.Err
	}
	if c.Out != "" {
		r.file = absolute(env, c.Out)
	} else if path, ok := keys.File(r.old.Ref, u.dir); ok {
		r.file = path
	} else {
		return nil, fmt.Errorf("%s is no file, so the new key cannot be put in its place: use --out FILE, bring the key from there to where %s comes from, "+
			"and let the gateway read it (restart it for a variable, SIGHUP for a command)", shortRef(r.old.Ref), shortRef(r.old.Ref))
	}
	if err := keys.CanWrite(r.file); err != nil {
		return nil, err
	}
	if r.admin, _, err = u.sources.Get(ctx, claviger.Ref(c.AdminKey)); err != nil {
		return nil, fmt.Errorf("--admin-key: %w; make an admin key in the organisation's settings", err)
	}
	if r.account, err = u.account(); err != nil {
		return nil, err
	}
	if r.project, r.entry, err = c.at(ctx, r.account, r.admin, r.old); err != nil {
		r.account.CloseIdle()
		return nil, err
	}
	return r, nil
}

// create makes the new key and writes it once it is good. On error nothing is left
// of it.
func (r *rotation) create(ctx context.Context) (err error) {
	name := "claviger " + time.Now().UTC().Format("2006-01-02 15:04:05")
	if r.made, err = r.account.Create(ctx, r.admin, r.project, name); err != nil {
		return err
	}
	defer func() {
		if err == nil {
			return
		}
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		if e := r.account.Delete(clean, r.admin, r.project, upstream.ProjectKey{Account: r.made.Account}); e != nil {
			err = fmt.Errorf("%w; the service account %q is left behind in %s: delete it there", err, name, r.project)
		}
	}()
	err = until(ctx, goodWithin, func() (bool, error) {
		s, err := r.account.Probe(ctx, r.made.Secret)
		if err == nil && s.Status == http.StatusOK && s.Project != "" && s.Project != r.project {
			return false, fmt.Errorf("the provider made a key for %s, and not for %s", s.Project, r.project)
		}
		return err == nil && s.Status == http.StatusOK, nil
	})
	if err != nil {
		return fmt.Errorf("the new key does not become good: %w", err)
	}
	if err := keys.WriteFile(r.file, r.made.Secret); err != nil {
		return fmt.Errorf("the new key cannot be written: %w", err)
	}
	fmt.Fprintf(r.env.Stderr, "Made %s, and wrote it to %s.\n", r.made.Secret.Fingerprint(), filepath.Base(r.file))
	return nil
}

// finish waits until nobody uses the old key, and deletes it.
func (r *rotation) finish(ctx context.Context) error {
	began := time.Now()
	silent := 0
	for _, g := range r.c.gateways(r.u.cfg) {
		if _, err := askGateway(ctx, g); err != nil {
			silent++
			fmt.Fprintf(r.env.Stderr, "No gateway answers at %s.\n", g)
			continue
		}
		if err := r.switched(ctx, g); err != nil {
			return err
		}
		fmt.Fprintf(r.env.Stderr, "The gateway at %s uses the new key after %s.\n", g, time.Since(began).Round(time.Millisecond))
	}
	if silent > 0 {
		fmt.Fprintf(r.env.Stderr, "Waiting %s for gateways that cannot be asked.\n", r.drain)
		if err := sleep(ctx, r.drain); err != nil {
			return err
		}
	}
	for _, g := range r.c.gateways(r.u.cfg) {
		if err := r.drained(ctx, g, r.drain-time.Since(began)); err != nil {
			return err
		}
	}
	fmt.Fprintf(r.env.Stderr, "The old key is out of use after %s.\n", time.Since(began).Round(time.Millisecond))
	return deleteKey(ctx, r.account, r.admin, doomed{r.project, r.entry, r.old.Secret})
}

// switched waits until a gateway has the new key and not the old one.
func (r *rotation) switched(ctx context.Context, gateway string) error {
	err := until(ctx, takenWithin, func() (bool, error) {
		v, err := askGateway(ctx, gateway)
		has := map[string]bool{}
		for _, k := range v.Keys {
			has[k.Fingerprint] = true
		}
		return err == nil && has[r.made.Secret.Fingerprint()] && !has[r.old.Secret.Fingerprint()], nil
	})
	if errors.Is(err, errLate) {
		return fmt.Errorf("the gateway at %s does not use the new key: does it read another file? its log and 'claviger keys list' say more", gateway)
	}
	return err
}

// drained waits until no call uses the old key, for as long as calls may go on.
func (r *rotation) drained(ctx context.Context, gateway string, patience time.Duration) error {
	err := until(ctx, patience, func() (bool, error) {
		v, err := askGateway(ctx, gateway)
		for _, d := range v.Draining {
			if d.Fingerprint == r.old.Secret.Fingerprint() {
				return false, nil
			}
		}
		return err == nil, nil
	})
	if errors.Is(err, errLate) {
		fmt.Fprintf(r.env.Stderr, "Calls with the old key go on at %s for longer than --drain, and lose it now.\n", gateway)
		return nil
	}
	return err
}

// doomed is a key that is to be deleted.
type doomed struct {
	project string
	entry   upstream.ProjectKey
	key     claviger.Secret
}

// deleteKey deletes a key at the provider, and sees it refused.
func deleteKey(ctx context.Context, a *upstream.Account, admin claviger.Secret, d doomed) error {
	if err := a.Delete(ctx, admin, d.project, d.entry); err != nil {
		return err
	}
	err := until(ctx, goneWithin, func() (bool, error) {
		s, err := a.Probe(ctx, d.key)
		return err == nil && s.Status == http.StatusUnauthorized, nil
	})
	if errors.Is(err, errLate) {
		return errors.New("the provider deleted the key, and still takes it")
	}
	return err
}

var errLate = errors.New("it took too long")

// until looks again and again, at least once, until done says so.
func until(ctx context.Context, patience time.Duration, done func() (bool, error)) error {
	end := time.Now().Add(patience)
	for {
		ok, err := done()
		switch {
		case err != nil || ok:
			return err
		case time.Now().After(end):
			return errLate
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
