// Package facts reads a module of JavaScript or TypeScript into a small tree
// that keeps what the check asks about: names, calls, control flow, and the
// place of each in the text that people wrote. Types, comments and JSX syntax
// are gone; JSX is a kind of call.
//
// Parse runs parsers on text that nobody vouches for, and a text can be made
// that ends the process or never ends. So it runs in a process of its own (see
// package worker), and Encode and Decode carry the tree from there.
package facts

import "slices"

// Kind says what a node is.
type Kind uint8

// The kinds. Behind each stand its kids; one in brackets may be nil. "…" is any
// number of them.
const (
	KindNone Kind = iota

	Program  // statements…
	Block    // statements…
	ExprStmt // expression
	Var      // declarators…; Str is var, let or const
	Declare  // target, [value]
	Return   // [value]
	If       // test, then, [else]
	For      // [init], [test], [update], body
	ForEach  // target, source, body; Str is in or of
	While    // test, body
	DoWhile  // test, body
	Switch   // subject, cases…
	Case     // [test], statements…
	Throw    // value
	Try      // block, [target], [handler], [finally]
	Jump     // Str is break or continue
	FuncDecl // function
	ClassDecl
	Import     // import specs…; Str is the specifier
	ImportSpec // Str is the local name, Alt the imported one: a name, "default" or "*"
	Export     // declaration: Var, FuncDecl or ClassDecl
	ExportFrom // specs…; Str is the specifier, empty for local names
	ExportSpec // Str is the local or imported name, "*" for all; Alt the exported one
	ExportDefault

	Ident    // Str
	Str      // Str
	Num      // Str
	Bool     // Str is true or false
	Null     //
	Regex    // Str
	Template // texts (Str) and expressions in turn
	Tagged   // tag, template
	Array    // elements…, each may be nil
	Object   // properties…
	Prop     // [computed key], value; Str is the key
	Spread   // value
	Func     // body, parameters…; Str is the name
	Class    // [super], members…; Str is the name
	Method   // [computed key], [value]; Str is the key
	Member   // object; Str is the property
	Index    // object, key
	Call     // callee, arguments…
	New      // callee, arguments…
	Await    // value
	Yield    // [value]
	Unary    // value; Str is the operator
	Binary   // left, right; Str is the operator
	Logical  // left, right; Str is &&, || or ??
	Assign   // target, value; Str is the operator
	Cond     // test, then, else
	Seq      // expressions…
	This     //
	Super    //
	Meta     // Str is import.meta or new.target
	Load     // import(): argument…
	JSX      // type, properties, children…
	ObjPat   // PatProp or Rest…
	PatProp  // [computed key], target; Str is the key
	ArrPat   // elements…, each may be nil
	Rest     // target
	Default  // target, value
	kinds
)

// Flag tells variants of a kind apart.
type Flag uint8

// The flags.
const (
	Async Flag = 1 << iota
	Generator
	Arrow
	// Optional is ?. before a member, an index or a call.
	Optional
	Static
	Postfix
	// Getter is a property or method that is read as a value.
	Getter
)

// Node is one node. The Directives of a function or program are what stands in
// quotes at its beginning, as "use server".
type Node struct {
	Kind       Kind
	Flag       Flag
	Line, Col  int32
	Str, Alt   string
	Kids       []*Node
	Directives []string
}

// Kid is the kid at i, or nil.
func (n *Node) Kid(i int) *Node {
	if n == nil || i >= len(n.Kids) {
		return nil
	}
	return n.Kids[i]
}

// Is reports whether the node is there and of one of the kinds.
func (n *Node) Is(kinds ...Kind) bool {
	if n == nil {
		return false
	}
	return slices.Contains(kinds, n.Kind)
}

// Has reports whether a directive stands at the node's beginning.
func (n *Node) Has(directive string) bool {
	return slices.Contains(n.Directives, directive)
}

// Walk calls visit for n and all below it, parents first. Where visit returns
// false, it goes no deeper.
func (n *Node) Walk(visit func(*Node) bool) {
	if n == nil || !visit(n) {
		return
	}
	for _, k := range n.Kids {
		k.Walk(visit)
	}
}
