package app

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/keys"
)

type keysRetire struct {
	databaseFlags
	gatewayFlags
	adminFlags
	Fingerprint string `arg:"" help:"The fingerprint, as 'claviger check' and 'claviger keys list' print it."`
	Here        bool   `help:"Take it out of use in the gateways alone, and leave it alive at the provider."`
	Undo        bool   `help:"Let the gateways use it again."`
	Reason      string `help:"Why, for other operators."`
}

var fingerprintShape = regexp.MustCompile(`^[0-9a-f]{12}$`)

// Run takes a key out of use, first in the gateways and then for good.
func (c keysRetire) Run(ctx context.Context, env Environment) error {
	if !fingerprintShape.MatchString(c.Fingerprint) {
		return badUsage(errors.New("a fingerprint is 12 of the digits 0-9a-f, as 'claviger check' and 'claviger keys list' print it; never give the key itself"))
	}
	d, err := c.open(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if c.Undo {
		return c.undo(ctx, env, d)
	}
	began := time.Now()
	b := claviger.Block{Scope: claviger.BlockKey, Name: c.Fingerprint, Since: began.UTC().Truncate(time.Second), Reason: c.Reason}
	if err := d.PutBlock(ctx, b); err != nil {
		return badUsage(err)
	}
	fmt.Fprintf(env.Stdout, "Retired: %s. A gateway on %s stops using it within a second.\n", c.Fingerprint, d.place)
	if d.good {
		for _, g := range c.gateways(d.cfg) {
			c.watch(ctx, env, g, began)
		}
	}
	if c.Here {
		return nil
	}
	if err := c.kill(ctx, env); err != nil {
		return &exitError{code: exitRefused, err: fmt.Errorf("the key is still good at the provider, for whoever has it: %w", err)}
	}
	_, err = fmt.Fprintf(env.Stdout, "Deleted: the provider refuses it, %s after the start.\n", time.Since(began).Round(time.Millisecond))
	return err
}

// watch tells when a gateway that can be asked stopped using the key.
func (c keysRetire) watch(ctx context.Context, env Environment, gateway string, began time.Time) {
	if _, err := askGateway(ctx, gateway); err != nil {
		fmt.Fprintf(env.Stderr, "No gateway answers at %s.\n", gateway)
		return
	}
	err := until(ctx, 5*time.Second, func() (bool, error) {
		v, err := askGateway(ctx, gateway)
		for _, k := range v.Keys {
			if k.Fingerprint == c.Fingerprint && k.State != string(keys.StateRetired) {
				return false, nil
			}
		}
		return err == nil, nil
	})
	if err != nil {
		fmt.Fprintf(env.Stderr, "warning: the gateway at %s goes on using it: does it have another database?\n", gateway)
		return
	}
	fmt.Fprintf(env.Stderr, "The gateway at %s does not use it, %s after the start.\n", gateway, time.Since(began).Round(time.Millisecond))
}

// kill deletes the key at the provider.
func (c keysRetire) kill(ctx context.Context, env Environment) error {
	byHand := "delete it by hand, at https://platform.openai.com/api-keys for OpenAI"
	u, err := readKeys(ctx, env, locate(env, c.Config))
	if err != nil {
		return fmt.Errorf("%w; %s", err, byHand)
	}
	k, err := u.find(c.Fingerprint)
	if err != nil {
		return errors.New("it is no key of this configuration, and a fingerprint alone does not say which one it is at the provider; " + byHand)
	}
	admin, _, err := u.sources.Get(ctx, claviger.Ref(c.AdminKey))
	if err != nil {
		return fmt.Errorf("--admin-key: %w; give one, or %s", err, byHand)
	}
	a, err := u.account()
	if err != nil {
		return err
	}
	defer a.CloseIdle()
	project, entry, err := c.at(ctx, a, admin, k)
	if err != nil {
		return err
	}
	return deleteKey(ctx, a, admin, doomed{project, entry, k.Secret})
}

func (c keysRetire) undo(ctx context.Context, env Environment, d *database) error {
	dropped, err := d.DropBlock(ctx, claviger.BlockKey, c.Fingerprint)
	if err != nil {
		return badUsage(err)
	}
	if !dropped {
		return badUsage(fmt.Errorf("%s is not retired in %s; 'claviger blocks' lists what is", c.Fingerprint, d.place))
	}
	_, err = fmt.Fprintf(env.Stdout, "In use again: %s. A gateway on %s knows within a second.\n", c.Fingerprint, d.place)
	return err
}
