package gatetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/seal"
)

// SecretSourceSuite is what the suite has to know about one source.
type SecretSourceSuite struct {
	Source claviger.SecretSource
	// Good are references and the values behind them. Each value is at least
	// eight bytes long, so that it is in no text by chance.
	Good map[claviger.Ref]string
	// Missing are references of the right form with nothing behind them.
	Missing []claviger.Ref
	// Invalid are none that this source understands. What stands behind the
	// first colon of each, or all of it, counts as secret.
	Invalid []claviger.Ref
	// Change, when not nil, puts another value behind a good reference and
	// returns both.
	Change func(t *testing.T) (claviger.Ref, string)
}

// SecretSource runs the conformance suite of claviger.SecretSource.
func SecretSource(t *testing.T, s SecretSourceSuite) {
	t.Run("good", s.good)
	t.Run("missing", s.missing)
	t.Run("invalid", s.invalid)
	t.Run("ended context", s.ended)
	t.Run("concurrent", s.concurrent)
	if s.Change != nil {
		t.Run("changed", s.changed)
	}
}

func (s SecretSourceSuite) expect(t testing.TB, ref claviger.Ref, want string) claviger.Version {
	t.Helper()
	secret, version, err := s.Source.Get(t.Context(), ref)
	if err != nil {
		t.Errorf("%s: %v", ref, err)
		return ""
	}
	if string(secret.Reveal(seal.ForReveal())) != want {
		t.Errorf("%s: got another value than was put there (%d bytes, want %d)", ref, secret.Len(), len(want))
	}
	if text := fmt.Sprintf("%v %+v %#v %s", secret, secret, secret, version); strings.Contains(text, want) {
		t.Errorf("%s: the value shows in %q", ref, text)
	}
	if version == "" {
		t.Errorf("%s: no version", ref)
	}
	return version
}

func (s SecretSourceSuite) good(t *testing.T) {
	seen := map[claviger.Version]string{}
	for ref, want := range s.Good {
		v := s.expect(t, ref, want)
		if again := s.expect(t, ref, want); again != v {
			t.Errorf("%s: version %q, then %q for the same value", ref, v, again)
		}
		if other, ok := seen[v]; ok && other != want {
			t.Errorf("%s: version %q stands for two values", ref, v)
		}
		seen[v] = want
	}
}

func (s SecretSourceSuite) denied(t testing.TB, ctx context.Context, ref claviger.Ref) error {
	t.Helper()
	secret, version, err := s.Source.Get(ctx, ref)
	if err == nil {
		t.Fatalf("a reference that leads nowhere gave a secret")
	}
	if !secret.IsZero() || version != "" {
		t.Error("an error came with a secret")
	}
	for _, value := range s.Good {
		if strings.Contains(err.Error(), value) {
			t.Error("the error shows a secret")
		}
	}
	return err
}

func (s SecretSourceSuite) missing(t *testing.T) {
	for _, ref := range s.Missing {
		err := s.denied(t, t.Context(), ref)
		_, name, _ := strings.Cut(string(ref), ":")
		name, _, _ = strings.Cut(name, " ")
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error does not say what is missing: %v", ref, err)
		}
	}
}

func (s SecretSourceSuite) invalid(t *testing.T) {
	for _, ref := range s.Invalid {
		err := s.denied(t, t.Context(), ref)
		value := string(ref)
		if _, rest, ok := strings.Cut(value, ":"); ok {
			value = rest
		}
		if len(value) >= 8 && strings.Contains(err.Error(), value) {
			t.Errorf("the error repeats what may be a secret: %v", err)
		}
	}
}

func (s SecretSourceSuite) ended(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for ref := range s.Good {
		if err := s.denied(t, ctx, ref); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", ref, err)
		}
	}
}

func (s SecretSourceSuite) concurrent(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ref, want := range s.Good {
				s.expect(t, ref, want)
			}
		})
	}
	wg.Wait()
}

func (s SecretSourceSuite) changed(t *testing.T) {
	before := map[claviger.Ref]claviger.Version{}
	for ref, want := range s.Good {
		before[ref] = s.expect(t, ref, want)
	}
	ref, want := s.Change(t)
	if after := s.expect(t, ref, want); after == before[ref] {
		t.Errorf("%s: version %q for two values", ref, after)
	}
}
