package canary

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"claviger.dev/claviger/internal/check/report"
)

var at = report.Position{File: ".env", Line: 1}

// TestForms: a value is found in each form, whatever stands around it.
func TestForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringMatching(`[A-Za-z0-9_+/&"<=-]{16,80}`).Draw(t, "value")
		before := rapid.StringMatching(`[a-z ]{0,7}`).Draw(t, "before")
		after := rapid.StringMatching(`[a-z ]{0,7}`).Draw(t, "after")
		var codes []string
		for _, c := range []byte(value) {
			codes = append(codes, fmt.Sprint(c))
		}
		texts := []string{
			before + value + after,
			base64.StdEncoding.EncodeToString([]byte(before + value + after)),
			base64.RawURLEncoding.EncodeToString([]byte(before + value + after)),
			base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(value)))),
			hex.EncodeToString([]byte(before + value + after)),
			"?" + url.Values{"k": {before + value + after}}.Encode(),
			fmt.Sprintf("%q", before+value+after),
			"[" + strings.Join(codes, ",") + "]",
		}
		s := &Set{}
		if !s.Add("K", value, at) {
			t.Fatal("too short")
		}
		for i, text := range texts {
			hits := s.Find(text)
			if len(hits) == 0 || hits[0].Piece != 0 || hits[0].Value.Name != "K" {
				t.Errorf("form %d is not found", i)
			}
			for _, h := range hits {
				if h.Start < 0 || h.End > len(text) || h.Start >= h.End {
					t.Errorf("%d to %d of %d", h.Start, h.End, len(text))
				}
			}
		}
	})
}

func TestPieces(t *testing.T) {
	s := &Set{}
	value := "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOP"
	s.Add("K", value, at)
	if hits := s.Find(value[:30] + " and " + value[30:]); len(hits) != 1 || hits[0].Piece != 1 {
		t.Errorf("%+v", hits)
	}
	for _, text := range []string{value[:30], value[30:], strings.Repeat(value[:16], 3), "nothing"} {
		if hits := s.Find(text); len(hits) != 0 {
			t.Errorf("%q: %d hits", text, len(hits))
		}
	}
	if s.Add("SHORT", "hunter2", at) {
		t.Error("a short value is looked for")
	}
	if s.Add("AGAIN", value, at); s.Len() != 1 {
		t.Errorf("%d values", s.Len())
	}
	if hits := (&Set{}).Find(value); hits != nil {
		t.Error("the empty set finds something")
	}
}

func BenchmarkFind(b *testing.B) {
	s := &Set{}
	for i := range 10 {
		s.Add(fmt.Sprint(i), strings.Repeat(fmt.Sprintf("%02dvalue", i), 8), at)
	}
	text := strings.Repeat(`export const a=(e,t)=>{let n=e.map((r)=>r.id-1);return n["data-key"]??t._private_name||"sk-SK"};`+"\n", 10_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if len(s.Find(text)) > 0 {
			b.Fatal("found")
		}
	}
}
