package redis_test

import (
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/store/redis"
)

// TestPlaces: gateways that keep owners and blocks in local databases of their own
// do not share a Redis, one database may have several processes, and a place is
// free again when its gateways have ended.
func TestPlaces(t *testing.T) {
	s := start(t)
	open := func(place string) (*redis.Admission, error) {
		return redis.Open(t.Context(), redis.Options{URL: s.url(), NameKey: nameKey, Place: place, Timeout: 30 * time.Second})
	}
	must := func(place string) *redis.Admission {
		t.Helper()
		a, err := open(place)
		if err != nil {
			t.Fatalf("%s: %v", place, err)
		}
		return a
	}
	refused := func(place string) {
		t.Helper()
		a, err := open(place)
		if err == nil {
			_ = a.Close()
			t.Fatalf("%s is served beside another", place)
		}
		if !strings.Contains(err.Error(), "local database of its own") {
			t.Errorf("%v", err)
		}
	}
	client := s.client()
	defer func() { _ = client.Close() }()
	key := redis.DefaultPrefix + "place"
	one, again := must("one"), must("one")
	refused("two")
	if left := client.PTTL(t.Context(), key).Val(); left <= 0 || left > time.Minute {
		t.Errorf("a gateway that is gone keeps others away for %v", left)
	}
	_ = must("").Close() // its database is a server
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
	two := must("two")
	refused("one")
	// A place that was lost is not taken back from who has it now.
	if err := client.Set(t.Context(), key, "three", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := two.Ping(t.Context()); err == nil {
		t.Error("two goes on beside three")
	}
	_ = two.Close()
	if got := client.Get(t.Context(), key).Val(); got != "three" {
		t.Errorf("two took the place of three with it: %q", got)
	}
}
