package authz

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"claviger.dev/claviger"
)

// Bounds of a condition. Cost is in CEL's own unit, about one basic operation
// (some ten nanoseconds). The estimate at load assumes what a credential of
// usual size holds; the limit at run time holds whatever a claim is.
const (
	maxExpression = 2048    // bytes
	maxNodes      = 1000    // after macros
	maxEstimate   = 2000000 // cost at load
	maxCost       = 100000  // cost at run time
	usualString   = 256     // bytes of a role or a name
	usualSize     = 100     // entries, or bytes, of a claim
)

// The variables of a condition. Each is one name with a dot in it, not a
// member of an object "user": so each has its own type, and an unknown one is
// an error at load.
const (
	varSubject = "user.subject"
	varRealm   = "user.realm"
	varTenant  = "user.tenant"
	varMethod  = "user.method"
	varRoles   = "user.roles"
	varClaims  = "user.claims"
)

type environment struct{ cel *cel.Env }

func newEnv() (environment, error) {
	env, err := cel.NewEnv(
		cel.Variable(varSubject, cel.StringType),
		cel.Variable(varRealm, cel.StringType),
		cel.Variable(varTenant, cel.StringType),
		cel.Variable(varMethod, cel.StringType),
		cel.Variable(varRoles, cel.ListType(cel.StringType)),
		cel.Variable(varClaims, cel.MapType(cel.StringType, cel.DynType)),
		cel.CrossTypeNumericComparisons(true),
		cel.EagerlyValidateDeclarations(true),
		cel.ParserRecursionLimit(50),
		cel.ParserErrorRecoveryLimit(4),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(1000),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateComprehensionNestingLimit(2)),
	)
	if err != nil {
		return environment{}, fmt.Errorf("authz: making the CEL environment: %w", err)
	}
	return environment{env}, nil
}

// condition is a compiled expression. It is safe for concurrent use.
type condition struct {
	program cel.Program
	ast     *cel.Ast
}

// compile makes the condition of plan i; the empty one is nil.
func (e environment) compile(i int, when string) (*condition, []*PlanError) {
	bad := func(line, column int, reason string) []*PlanError {
		return []*PlanError{{Index: i, Field: "when", Line: line, Column: column, Reason: reason}}
	}
	switch {
	case when == "":
		return nil, nil
	case len(when) > maxExpression:
		return nil, bad(0, 0, fmt.Sprintf("longer than %d bytes", maxExpression))
	case !utf8.ValidString(when):
		return nil, bad(0, 0, "not valid UTF-8")
	}
	ast, issues := e.cel.Compile(when)
	if issues.Err() != nil {
		var errs []*PlanError
		for _, x := range issues.Errors() {
			errs = append(errs, bad(x.Location.Line(), x.Location.Column()+1, explainIssue(x.Message))...)
		}
		return nil, errs
	}
	if !ast.OutputType().IsExactType(types.BoolType) {
		return nil, bad(1, 1, fmt.Sprintf("gives %s; a condition gives true or false, as user.claims.plan == \"pro\"", cel.FormatCELType(ast.OutputType())))
	}
	est, err := e.cel.EstimateCost(ast, sizes{})
	if err != nil {
		return nil, bad(0, 0, "its cost cannot be estimated: "+err.Error())
	}
	if est.Max > maxEstimate {
		return nil, bad(0, 0, fmt.Sprintf("may cost %s steps for one decision, more than %d; nest fewer loops", steps(est.Max), maxEstimate))
	}
	program, err := e.cel.Program(ast, cel.CostLimit(maxCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, bad(0, 0, err.Error())
	}
	return &condition{program, ast}, nil
}

func steps(n uint64) string {
	if n == math.MaxUint64 {
		return "any number of"
	}
	return fmt.Sprint(n)
}

// explainIssue adds to CEL's message what an author needs to mend it.
func explainIssue(message string) string {
	if strings.HasPrefix(message, "undeclared reference to 'user") {
		return message + "; known are user.subject, user.realm, user.tenant, user.method, user.roles and user.claims.NAME"
	}
	return message
}

// holds evaluates the condition. Errors quote nothing of the caller's claims.
func (c *condition) holds(v *vars) (bool, error) {
	out, _, err := c.program.Eval(v)
	if err == nil {
		b, ok := out.(types.Bool)
		if !ok {
			return false, errors.New("gives no boolean")
		}
		return bool(b), nil
	}
	// CEL gives no other sign of a missing key than the message.
	if strings.HasPrefix(err.Error(), "no such key: ") {
		return false, nil
	}
	if _, ok := errors.AsType[interpreter.EvalCancelledError](err); ok {
		return false, fmt.Errorf("stopped at the limit of %d steps", maxCost)
	}
	reason := "fails on this caller's claims"
	if err.Error() == "no such overload" {
		reason = "compares or uses values of types that do not go together"
	}
	if e, ok := errors.AsType[*types.Err](err); ok && e.NodeID() > 0 {
		l := c.ast.NativeRep().SourceInfo().GetStartLocation(e.NodeID())
		return false, fmt.Errorf("line %d, column %d: %s", l.Line(), l.Column()+1, reason)
	}
	return false, errors.New(reason)
}

// vars gives a condition its variables straight from the principal, with no map
// made for each decision.
type vars struct{ p *claviger.Principal }

var _ cel.Activation = (*vars)(nil)

// ResolveName implements cel.Activation.
func (v *vars) ResolveName(name string) (any, bool) {
	switch name {
	case varSubject:
		return v.p.Subject, true
	case varRealm:
		return v.p.Realm, true
	case varTenant:
		return v.p.Tenant, true
	case varMethod:
		return v.p.Method, true
	case varRoles:
		return v.p.Roles, true
	case varClaims:
		return map[string]any(v.p.Claims), true
	default:
		return nil, false
	}
}

// Parent implements cel.Activation.
func (*vars) Parent() cel.Activation { return nil }

// sizes tells the estimate how large values usually are, so that an expression
// is judged by its shape.
type sizes struct{}

// EstimateSize implements cost.Estimator.
func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	if n.ComputedSize() != nil {
		return nil
	}
	if n.Type().Kind() == types.StringKind {
		return &cost.SizeEstimate{Max: usualString}
	}
	return &cost.SizeEstimate{Max: usualSize}
}

// EstimateCallCost implements cost.Estimator.
func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
