package jsonx

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestLeaves(t *testing.T) {
	v, err := Parse([]byte(`{"a":"x\u0040y","b":[1,"two",{"c":[[true,null,"deep"]]}],"d e":{"f":"below"},"":""}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	whole := Leaves("", v, func(l *Leaf) bool {
		got = append(got, fmt.Sprintf("%v %q at %q of %q under %q", l.Kind, l.Text, l.Path(), l.Member(), l.Top()))
		return true
	})
	want := []string{
		`object "a" at "" of "" under ""`, `string "x@y" at "a" of "a" under "a"`,
		`object "b" at "" of "" under ""`, `number "1" at "b[0]" of "b" under "b"`, `string "two" at "b[1]" of "b" under "b"`,
		`object "c" at "b[2]" of "b" under "b"`, `string "deep" at "b[2].c[0][2]" of "c" under "b"`,
		`object "d e" at "" of "" under ""`, `object "f" at "" of "d e" under ""`, `string "below" at "" of "f" under ""`,
		`object "" at "" of "" under ""`, `string "" at "" of "" under ""`,
	}
	if !whole || !slices.Equal(got, want) {
		t.Errorf("%v\n%s\nand not\n%s", whole, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	n := 0
	if Leaves("root", v, func(l *Leaf) bool { n++; return l.Path() != "root.b[1]" }) || n != 5 {
		t.Errorf("went on to %d leaves", n)
	}
	if l := TextLeaf("file.filename", "x"); l.Path() != "file.filename" || l.Top() != "file.filename" || l.Member() != "" || l.Kind != KindString {
		t.Errorf("%+v", l)
	}
}
