"The package as settings.ini describes it."
import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

parser = ConfigParser()
parser.read('settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']
repo, raw = (f"{cfg['git_url']}/{kind}/{cfg['branch']}" for kind in ('blob', 'raw'))
needs = {name: cfg[f'{name}requirements'].split() for name in ('', 'notebooks_', 'dev_')}

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    # on an index of packages, the README's links and pictures have to be whole addresses
    long_description=re.sub(r'src="(?!http)', f'src="{raw}/', Path('README.md').read_text(encoding='utf-8').replace('](nbs/', f']({repo}/nbs/')),
    long_description_content_type='text/markdown',
    keywords=cfg['keywords'],
    author=cfg['author'],
    license='Apache-2.0',
    license_files=['LICENSE', 'fastlesson/digits-LICENSE.txt'],
    url=cfg['doc_host'] + cfg['doc_baseurl'],
    project_urls={'Lessons': cfg['doc_host'] + cfg['doc_baseurl'], 'Source': cfg['git_url'],
                  'Issues': cfg['git_url'] + '/issues', 'Changes': f'{repo}/CHANGELOG.md'},
    classifiers=['Intended Audience :: Education', 'Programming Language :: Python :: 3 :: Only',
                 'Topic :: Education', 'Topic :: Scientific/Engineering :: Artificial Intelligence', 'Typing :: Typed'],
    packages=find_packages(include=['fastlesson', 'fastlesson.*']),
    package_data={'fastlesson': ['*.gz', '*.txt', 'py.typed', 'records/*.json', 'figures/*']},
    python_requires='>=' + cfg['min_python'],
    install_requires=needs[''],
    extras_require={'notebooks': needs['notebooks_'], 'dev': needs['notebooks_'] + needs['dev_']},
    entry_points={'nbdev': [f"{cfg['lib_name']}={cfg['lib_name']}._modidx:d"], 'console_scripts': cfg['console_scripts'].split()},
)
