package config

import (
	"encoding/base64"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fakeKey makes text that looks like a key. It is made at run time so that no
// scanner takes it for one.
func fakeKey() string {
	return "sk-" + strings.Repeat("x", 10) + strconv.FormatUint(rand.Uint64()|1<<63, 10)
}

// randomText is one word of letters and digits. The other signs of base64 cut it
// into pieces that are too short to look random, once in a hundred times.
func randomText() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := []byte("aB3dE6")
	for range 37 {
		b = append(b, alphabet[rand.IntN(len(alphabet))])
	}
	return string(b)
}

// planted puts secrets into a file of testdata.
func planted(data []byte) (text string, secrets []string) {
	key, word := fakeKey(), "w"+strconv.FormatUint(rand.Uint64()|1<<63, 36)
	random := randomText()
	aws := "AKIA" + "7QX2M4KD" + strconv.FormatUint(1e7+rand.Uint64N(9e7), 10)
	jwt := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"someone"}`)) + "." + random
	secrets = []string{key, word, random, aws, jwt}
	return strings.NewReplacer("{{KEY}}", key, "{{WORD}}", word, "{{RANDOM}}", random, "{{AWS}}", aws, "{{JWT}}", jwt).Replace(string(data)), secrets
}

// TestBroken compares what Load says about every broken file with what it said
// when somebody looked at it.
func TestBroken(t *testing.T) {
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) < 60 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, secrets := planted(data)
			_, err = Load("claviger.yaml", []byte(text), nil)
			ps, ok := errors.AsType[Problems](err)
			if !ok {
				t.Fatalf("loaded, or failed otherwise: %v", err)
			}
			got := ps.Error() + "\n"
			for _, s := range secrets {
				if strings.Contains(got, s) {
					t.Fatal("the message tells the secret")
				}
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".golden", got)
		})
	}
}

// golden compares with a file that somebody looked at.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("run with -update and look at the difference:\n%s", d)
	}
}
