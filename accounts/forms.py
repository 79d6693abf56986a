from allauth.account.forms import LoginForm, SignupForm

__all__ = ["LoginForm", "SignupForm"]
